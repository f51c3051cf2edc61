#include "rr/nn/internal/learned_linear.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>

#include "rr/base/check.h"
#include "rr/nn/internal/decoder_weights.h"

namespace rr::internal {
namespace {

static_assert(kGradientRows == kMaxProductRows, "products take whole blocks of rows");

// Panels do not follow the number of threads, so that nothing else does.
std::vector<std::size_t> panels_of(std::size_t outputs) { return panel_outputs(outputs, 2, 64); }

void pack_all(Linear& linear, Crew& crew, const auto& pack_panel) {
  crew.for_parts(linear.num_panels(),
                 [&](std::size_t panel, CrewScratch& scratch) { pack_panel(panel, scratch); });
}

// [rows, columns] floats or activations, from columns [first, first + columns) of wider rows.
void gather_columns(const std::byte* from, std::size_t stride, std::size_t first,
                    std::size_t columns, std::size_t rows, std::size_t bytes, std::byte* to) {
  for (std::size_t r = 0; r < rows; ++r) {
    std::memcpy(to + r * columns * bytes, from + (r * stride + first) * bytes, columns * bytes);
  }
}

void store_scaled(const RowKernels& kernels, Element element, const float* in, float factor,
                  std::size_t size, void* out, std::size_t first) {
  if (element == Element::kBf16) {
    kernels.scale_bf16(in, factor, size, static_cast<Bf16*>(out) + first);
  } else {
    kernels.scale_f32(in, factor, size, static_cast<float*>(out) + first);
  }
}

}  // namespace

LearningProducts::LearningProducts(ProductFamily the_family, const RowKernels& the_kernels,
                                   Element widened_element)
    : family(the_family),
      element(activation_element(the_family)),
      adapter_family(element == Element::kBf16 ? ProductFamily::kBf16 : ProductFamily::kF32),
      kernels(the_kernels),
      gradients(element, family == ProductFamily::kAmx),
      widened(widened_element) {}

LearnedLinear::LearnedLinear(std::size_t inputs, std::vector<LinearPart> parts, float lora_scale,
                             ProductFamily family, LearningProducts& products)
    : inputs_(inputs), scale_(lora_scale), parts_(std::move(parts)), products_(products) {
  for (const LinearPart& part : parts_) {
    part_starts_.push_back(outputs_);
    outputs_ += part.outputs;
  }
  rank_ = parts_[0].rank;
  forward_ = make_linear(family, inputs_, panels_of(outputs_), products.cache, products.kernels);
  if (!is_quantised(family)) {
    backward_ = make_linear(family, outputs_, panels_of(inputs_), products.cache, products.kernels);
  }
  if (rank_ == 0) return;
  const auto adapter = [&](std::size_t from, std::size_t to) {
    return make_linear(products.adapter_family, from, panels_of(to), products.cache,
                       products.kernels);
  };
  a_forward_ = adapter(inputs_, adapter_width());
  a_backward_ = adapter(adapter_width(), inputs_);
  for (const LinearPart& part : parts_) {
    RR_CHECK(part.rank == rank_, "all parts of a layer have adapters of one rank");
    b_forward_.push_back(adapter(rank_, part.outputs));
    b_backward_.push_back(adapter(part.outputs, rank_));
  }
}

const float* LearnedLinear::stacked_row(std::size_t row, bool of_adapters) const {
  if (of_adapters) return parts_[row / rank_].a + row % rank_ * inputs_;
  const auto after = std::upper_bound(part_starts_.begin(), part_starts_.end(), row);
  const auto part = static_cast<std::size_t>(after - part_starts_.begin()) - 1;
  return parts_[part].weight + (row - part_starts_[part]) * inputs_;
}

void LearnedLinear::pack_rows(Linear& linear, std::size_t panel, bool of_adapters,
                              CrewScratch& scratch) const {
  const std::size_t count = linear.panel_outputs(panel);
  const std::size_t first = panel * linear.panel_outputs(0);
  scratch.rows.reserve(count * inputs_ * sizeof(float));
  float* const rows = scratch.rows.data<float>();
  for (std::size_t r = 0; r < count; ++r) {
    std::copy_n(stacked_row(first + r, of_adapters), inputs_, rows + r * inputs_);
  }
  linear.pack(panel, rows, scratch.products);
}

void LearnedLinear::pack_columns(Linear& linear, std::size_t panel, bool of_adapters,
                                 CrewScratch& scratch) const {
  const std::size_t first = panel * linear.panel_outputs(0);
  std::vector<const float*> rows(linear.num_inputs());
  for (std::size_t r = 0; r < rows.size(); ++r) rows[r] = stacked_row(r, of_adapters) + first;
  linear.pack_columns(panel, rows, scratch.products);
}

void LearnedLinear::pack_weights(Crew& crew) {
  pack_all(*forward_, crew, [&](std::size_t panel, CrewScratch& scratch) {
    pack_rows(*forward_, panel, false, scratch);
  });
  if (backward_ == nullptr) return;
  pack_all(*backward_, crew, [&](std::size_t panel, CrewScratch& scratch) {
    pack_columns(*backward_, panel, false, scratch);
  });
}

// What a panel is made of, one tensor after another.
std::vector<SourceRows> LearnedLinear::sources_of(std::size_t panel,
                                                  std::span<const RowSource> tensors) const {
  const std::size_t first = panel * forward_->panel_outputs(0);
  const std::size_t end = first + forward_->panel_outputs(panel);
  std::vector<SourceRows> sources;
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    const std::size_t start = part_starts_[p];
    const std::size_t from = std::max(first, start);
    const std::size_t to = std::min(end, start + parts_[p].outputs);
    if (from < to) sources.push_back({tensors[p], from - start, to - from});
  }
  return sources;
}

Status LearnedLinear::pack_from_file(const TensorReader& reader, std::span<const RowSource> tensors,
                                     Crew& crew) {
  RR_CHECK(backward_ == nullptr, "other weights are packed both ways");
  std::mutex mutex;
  Status status = ok_status();  // guarded by mutex
  pack_all(*forward_, crew, [&](std::size_t panel, CrewScratch& scratch) {
    Status packed = internal::pack_from_file(reader, sources_of(panel, tensors), *forward_, panel,
                                             scratch.rows, scratch.products);
    const std::lock_guard lock(mutex);
    if (status.ok()) status = std::move(packed);
  });
  return status;
}

void LearnedLinear::pack_adapters(Crew& crew) {
  if (rank_ == 0) return;
  pack_all(*a_forward_, crew, [&](std::size_t panel, CrewScratch& scratch) {
    pack_rows(*a_forward_, panel, true, scratch);
  });
  pack_all(*a_backward_, crew, [&](std::size_t panel, CrewScratch& scratch) {
    pack_columns(*a_backward_, panel, true, scratch);
  });
  crew.for_parts(parts_.size(), [&](std::size_t p, CrewScratch& scratch) {
    const LinearPart& part = parts_[p];
    Linear& forward = *b_forward_[p];
    for (std::size_t panel = 0; panel < forward.num_panels(); ++panel) {
      forward.pack(panel, part.b + panel * forward.panel_outputs(0) * rank_, scratch.products);
    }
    Linear& backward = *b_backward_[p];
    std::vector<const float*> rows(part.outputs);
    for (std::size_t panel = 0; panel < backward.num_panels(); ++panel) {
      const std::size_t first = panel * backward.panel_outputs(0);
      for (std::size_t r = 0; r < rows.size(); ++r) rows[r] = part.b + r * rank_ + first;
      backward.pack_columns(panel, rows, scratch.products);
    }
  });
}

void LearnedLinear::forget_weights() {
  for (LinearPart& part : parts_) part.weight = nullptr;
}

void LearnedLinear::multiply_all(const Linear& linear, const void* x, std::size_t rows, float* out,
                                 Crew& crew) const {
  std::size_t width = 0;
  for (std::size_t p = 0; p < linear.num_panels(); ++p) width += linear.panel_outputs(p);
  const std::size_t num_blocks = padded_gradient_rows(rows) / kGradientRows;
  const std::size_t row_bytes = linear.num_inputs() * element_bytes(products_.element);
  crew.for_parts(num_blocks * linear.num_panels(), [&](std::size_t part, CrewScratch& scratch) {
    const std::size_t panel = part % linear.num_panels();
    const std::size_t first = part / linear.num_panels() * kGradientRows;
    linear.multiply_into(panel, kGradientRows, static_cast<const std::byte*>(x) + first * row_bytes,
                         out + first * width + panel * linear.panel_outputs(0), width,
                         scratch.products);
  });
}

void LearnedLinear::multiply(const void* x, std::size_t rows, float* out, AlignedBuffer& low,
                             Crew& crew) const {
  multiply_all(*forward_, x, rows, out, crew);
  if (rank_ == 0 || !adapters_on_) return;
  const std::size_t padded = padded_gradient_rows(rows);
  const std::size_t width = adapter_width();
  low.reserve(padded * width * element_bytes(products_.element));
  crew.for_parts(padded / kGradientRows, [&](std::size_t block, CrewScratch& scratch) {
    const std::size_t first = block * kGradientRows;
    const auto* const in =
        static_cast<const std::byte*>(x) + first * inputs_ * element_bytes(products_.element);
    scratch.product.reserve(kGradientRows * width * sizeof(float));
    float* const product = scratch.product.data<float>();
    for (std::size_t panel = 0; panel < a_forward_->num_panels(); ++panel) {
      const std::size_t outputs = a_forward_->panel_outputs(panel);
      a_forward_->multiply(panel, kGradientRows, in, product, scratch.products);
      for (std::size_t r = 0; r < kGradientRows; ++r) {
        store_scaled(products_.kernels, products_.element, product + r * outputs, scale_, outputs,
                     low.data(), (first + r) * width + panel * a_forward_->panel_outputs(0));
      }
    }
  });
  add_adapters(rows, out, low, crew);
}

void LearnedLinear::add_adapters(std::size_t rows, float* out, const AlignedBuffer& low,
                                 Crew& crew) const {
  const std::size_t bytes = element_bytes(products_.element);
  const std::size_t width = adapter_width();
  const std::size_t num_blocks = padded_gradient_rows(rows) / kGradientRows;
  crew.for_parts(num_blocks * parts_.size(), [&](std::size_t task, CrewScratch& scratch) {
    const std::size_t p = task % parts_.size();
    const std::size_t first = task / parts_.size() * kGradientRows;
    scratch.rows.reserve(kGradientRows * rank_ * bytes);
    gather_columns(low.data() + first * width * bytes, width, p * rank_, rank_, kGradientRows,
                   bytes, scratch.rows.data());
    const Linear& b = *b_forward_[p];
    for (std::size_t panel = 0; panel < b.num_panels(); ++panel) {
      const std::size_t outputs = b.panel_outputs(panel);
      scratch.product.reserve(kGradientRows * outputs * sizeof(float));
      float* const product = scratch.product.data<float>();
      b.multiply(panel, kGradientRows, scratch.rows.data(), product, scratch.products);
      float* const target = out + first * outputs_ + part_starts_[p] + panel * b.panel_outputs(0);
      for (std::size_t r = 0; r < kGradientRows; ++r) {
        products_.kernels.add(product + r * outputs, outputs, target + r * outputs_);
      }
    }
  });
}

const std::byte* LearnedLinear::widened_gradient(const void* g, std::size_t rows,
                                                 Crew& crew) const {
  if (products_.widened.element() == products_.element) return static_cast<const std::byte*>(g);
  AlignedBuffer& rounded = products_.widened_gradient;
  rounded.reserve(rows * outputs_ * sizeof(Bf16));
  crew.for_parts(rows / kGradientRows, [&](std::size_t block, CrewScratch&) {
    const std::size_t first = block * kGradientRows * outputs_;
    products_.kernels.scale_bf16(static_cast<const float*>(g) + first, 1.0f,
                                 kGradientRows * outputs_, rounded.data<Bf16>() + first);
  });
  return rounded.data();
}

// d_x = g W. A thread widens some inputs of a panel for several blocks of rows, so that this is
// little beside the products; panels are added in their order.
void LearnedLinear::multiply_widened(const void* g, std::size_t rows, float* d_x,
                                     Crew& crew) const {
  constexpr std::size_t kPieceInputs = 128;
  constexpr std::size_t kPieceRows = 4 * kGradientRows;
  const std::size_t padded = padded_gradient_rows(rows);
  const Element element = products_.widened.element();
  const std::byte* const g_in = widened_gradient(g, padded, crew);
  const std::size_t num_pieces = (inputs_ + kPieceInputs - 1) / kPieceInputs;
  const std::size_t num_blocks = (padded + kPieceRows - 1) / kPieceRows;
  crew.for_parts(num_pieces * num_blocks, [&](std::size_t part, CrewScratch& scratch) {
    const std::size_t first_input = part % num_pieces * kPieceInputs;
    const std::size_t num_inputs = std::min(kPieceInputs, inputs_ - first_input);
    const std::size_t first_row = part / num_pieces * kPieceRows;
    const std::size_t num_rows = std::min(kPieceRows, padded - first_row);
    float* const target = d_x + first_row * inputs_ + first_input;
    for (std::size_t r = 0; r < num_rows; ++r) std::fill_n(target + r * inputs_, num_inputs, 0.0f);
    for (std::size_t panel = 0; panel < forward_->num_panels(); ++panel) {
      const std::size_t outputs = forward_->panel_outputs(panel);
      const std::size_t start = first_row * outputs_ + panel * forward_->panel_outputs(0);
      scratch.rows.reserve(outputs * num_inputs * element_bytes(element));
      forward_->widen(panel, first_input, num_inputs, element, scratch.rows.data());
      products_.widened.add({num_rows, outputs, num_inputs, outputs_, 1, num_inputs, inputs_},
                            g_in + start * element_bytes(element), scratch.rows.data(), target,
                            scratch.products);
    }
  });
}

void LearnedLinear::multiply_backward(const void* g, std::size_t rows, float* d_x,
                                      AlignedBuffer& d_low, Crew& crew) const {
  if (backward_ == nullptr) {
    multiply_widened(g, rows, d_x, crew);
  } else {
    multiply_all(*backward_, g, rows, d_x, crew);
  }
  if (rank_ == 0) return;
  const std::size_t bytes = element_bytes(products_.element);
  const std::size_t padded = padded_gradient_rows(rows);
  const std::size_t width = adapter_width();
  d_low.reserve(padded * width * bytes);
  crew.for_parts(padded / kGradientRows, [&](std::size_t block, CrewScratch& scratch) {
    const std::size_t first = block * kGradientRows;
    const auto* const g_rows = static_cast<const std::byte*>(g) + first * outputs_ * bytes;
    scratch.rows.reserve(kGradientRows * outputs_ * bytes);
    scratch.product.reserve(kGradientRows * std::max(rank_, inputs_) * sizeof(float));
    float* const product = scratch.product.data<float>();
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      gather_columns(g_rows, outputs_, part_starts_[p], parts_[p].outputs, kGradientRows, bytes,
                     scratch.rows.data());
      const Linear& b = *b_backward_[p];
      for (std::size_t panel = 0; panel < b.num_panels(); ++panel) {
        const std::size_t outputs = b.panel_outputs(panel);
        b.multiply(panel, kGradientRows, scratch.rows.data(), product, scratch.products);
        for (std::size_t r = 0; r < kGradientRows; ++r) {
          store_scaled(products_.kernels, products_.element, product + r * outputs, scale_, outputs,
                       d_low.data(), (first + r) * width + p * rank_ + panel * b.panel_outputs(0));
        }
      }
    }
    for (std::size_t panel = 0; panel < a_backward_->num_panels(); ++panel) {
      const std::size_t outputs = a_backward_->panel_outputs(panel);
      a_backward_->multiply(panel, kGradientRows, d_low.data() + first * width * bytes, product,
                            scratch.products);
      float* const target = d_x + first * inputs_ + panel * a_backward_->panel_outputs(0);
      for (std::size_t r = 0; r < kGradientRows; ++r) {
        products_.kernels.add(product + r * outputs, outputs, target + r * inputs_);
      }
    }
  });
}

void LearnedLinear::accumulate(const void* x, const void* g, std::size_t rows,
                               const AlignedBuffer& low, const AlignedBuffer& d_low,
                               Crew& crew) const {
  const std::size_t bytes = element_bytes(products_.element);
  struct Job {
    ActivationMatrix d_out;
    ActivationMatrix in;
    float* gradient;
    std::size_t panel;
  };
  std::vector<Job> jobs;
  const auto add = [&](ActivationMatrix d_out, ActivationMatrix in, float* gradient) {
    for (std::size_t p = 0; p < WeightGradientProducts::num_panels(d_out.columns); ++p) {
      jobs.push_back({d_out, in, gradient, p});
    }
  };
  const ActivationMatrix input = {x, inputs_, inputs_};
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    const LinearPart& part = parts_[p];
    const ActivationMatrix g_part = {static_cast<const std::byte*>(g) + part_starts_[p] * bytes,
                                     part.outputs, outputs_};
    if (part.gradient != nullptr) add(g_part, input, part.gradient);
    if (part.d_a == nullptr) continue;
    const std::size_t start = p * rank_ * bytes;
    add({d_low.data() + start, rank_, adapter_width()}, input, part.d_a);
    add(g_part, {low.data() + start, rank_, adapter_width()}, part.d_b);
  }
  crew.for_parts(jobs.size(), [&](std::size_t j, CrewScratch& scratch) {
    const Job& job = jobs[j];
    products_.gradients.accumulate(job.panel, job.d_out, job.in, rows, job.gradient,
                                   scratch.products);
  });
}

void LearnedLinear::weight_row(std::size_t row, float* out) const {
  const std::size_t a_panel = forward_->panel_outputs(0);
  forward_->weight_row(row / a_panel, row % a_panel, out);
}

std::size_t LearnedLinear::num_bytes() const {
  std::size_t bytes = forward_->num_bytes();
  if (backward_ != nullptr) bytes += backward_->num_bytes();
  if (rank_ == 0) return bytes;
  bytes += a_forward_->num_bytes() + a_backward_->num_bytes();
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    bytes += b_forward_[p]->num_bytes() + b_backward_[p]->num_bytes();
  }
  return bytes;
}

}  // namespace rr::internal
