#include "rr/nn/internal/learned_linear.h"

#include <algorithm>
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

// As many as a panel is best read for, but parts enough for all threads, and nearly equal ones.
std::size_t rows_per_part(std::size_t padded, const Linear& linear, std::size_t num_threads) {
  const std::size_t groups = padded / kGradientRows;
  const std::size_t at_once = linear.rows_at_once() / kGradientRows;
  const std::size_t num_parts =
      std::max((groups + at_once - 1) / at_once,
               (2 * num_threads + linear.num_panels() - 1) / linear.num_panels());
  return (groups + num_parts - 1) / num_parts * kGradientRows;
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
    return make_linear(adapter_family(products.family), from, panels_of(to), products.cache,
                       products.kernels);
  };
  a_forward_ = adapter(inputs_, low_width());
  a_backward_ = adapter(low_width(), inputs_);
  b_forward_ = adapter(low_width(), outputs_);
  b_backward_ = adapter(outputs_, low_width());
  for (const LinearPart& part : parts_) {
    RR_CHECK(part.rank == rank_, "all parts of a layer have adapters of one rank");
  }
}

// Rows of a whole matrix, wherever they stand.
void LearnedLinear::pack_rows(Linear& linear, const Rows& rows, Crew& crew) {
  pack_all(linear, crew, [&](std::size_t panel, CrewScratch& scratch) {
    const std::size_t inputs = linear.num_inputs();
    const std::size_t count = linear.panel_outputs(panel);
    const std::size_t first = panel * linear.panel_outputs(0);
    scratch.rows.reserve(count * inputs * sizeof(float));
    float* const weight = scratch.rows.data<float>();
    for (std::size_t r = 0; r < count; ++r) {
      std::copy_n(rows[first + r], inputs, weight + r * inputs);
    }
    linear.pack(panel, weight, scratch.products);
  });
}

// The transpose of what pack_rows() packs.
void LearnedLinear::pack_columns(Linear& linear, const Rows& rows, Crew& crew) {
  pack_all(linear, crew, [&](std::size_t panel, CrewScratch& scratch) {
    const std::size_t first = panel * linear.panel_outputs(0);
    Rows shifted(rows.size());
    for (std::size_t r = 0; r < rows.size(); ++r) shifted[r] = rows[r] + first;
    linear.pack_columns(panel, shifted, scratch.products);
  });
}

void LearnedLinear::pack_weights(Crew& crew) {
  Rows rows;
  rows.reserve(outputs_);
  for (const LinearPart& part : parts_) {
    for (std::size_t r = 0; r < part.outputs; ++r) rows.push_back(part.weight + r * inputs_);
  }
  pack_rows(*forward_, rows, crew);
  if (backward_ != nullptr) pack_columns(*backward_, rows, crew);
}

void LearnedLinear::pack_adapters(Crew& crew) {
  if (rank_ == 0) return;
  const std::size_t width = low_width();
  const std::vector<float> zeros(inputs_);
  Rows rows(width, zeros.data());
  for (std::size_t r = 0; r < rank_ * parts_.size(); ++r) {
    rows[r] = parts_[r / rank_].a + r % rank_ * inputs_;
  }
  pack_rows(*a_forward_, rows, crew);
  pack_columns(*a_backward_, rows, crew);
  std::vector<float> diagonal(outputs_ * width);
  rows.clear();
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    for (std::size_t r = 0; r < parts_[p].outputs; ++r) {
      float* const row = diagonal.data() + (part_starts_[p] + r) * width;
      std::copy_n(parts_[p].b + r * rank_, rank_, row + p * rank_);
      rows.push_back(row);
    }
  }
  pack_rows(*b_forward_, rows, crew);
  pack_columns(*b_backward_, rows, crew);
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

void LearnedLinear::forget_weights() {
  for (LinearPart& part : parts_) part.weight = nullptr;
}

// out = x * linear's, and what `adapter` (null: none) makes of `low` on top of it.
void LearnedLinear::multiply_all(const Linear& linear, const Linear* adapter, const void* x,
                                 std::size_t rows, const AlignedBuffer& low, float* out,
                                 Crew& crew) const {
  std::size_t width = 0;
  for (std::size_t p = 0; p < linear.num_panels(); ++p) width += linear.panel_outputs(p);
  const std::size_t padded = padded_gradient_rows(rows);
  const std::size_t a_block = rows_per_part(padded, linear, crew.size());
  const std::size_t num_blocks = (padded + a_block - 1) / a_block;
  const std::size_t row_bytes = linear.num_inputs() * element_bytes(products_.element);
  const std::size_t low_bytes = low_width() * element_bytes(products_.element);
  crew.for_parts(num_blocks * linear.num_panels(), [&](std::size_t part, CrewScratch& scratch) {
    const std::size_t panel = part % linear.num_panels();
    const std::size_t first = part / linear.num_panels() * a_block;
    const std::size_t count = std::min(a_block, padded - first);
    float* const target = out + first * width + panel * linear.panel_outputs(0);
    linear.multiply_into(panel, count, static_cast<const std::byte*>(x) + first * row_bytes, target,
                         width, scratch.products);
    if (adapter == nullptr) return;
    adapter->add_into(panel, count, low.data() + first * low_bytes, target, width,
                      scratch.products);
  });
}

// low [rows padded, low_width] = scale * x * linear's, as activations.
void LearnedLinear::multiply_low(const Linear& linear, const void* x, std::size_t rows,
                                 AlignedBuffer& low, Crew& crew) const {
  const std::size_t padded = padded_gradient_rows(rows);
  const std::size_t width = low_width();
  const std::size_t row_bytes = linear.num_inputs() * element_bytes(products_.element);
  low.reserve(padded * width * element_bytes(products_.element));
  crew.for_parts(padded / kGradientRows, [&](std::size_t block, CrewScratch& scratch) {
    const std::size_t first = block * kGradientRows;
    const auto* const in = static_cast<const std::byte*>(x) + first * row_bytes;
    scratch.product.reserve(kGradientRows * width * sizeof(float));
    float* const product = scratch.product.data<float>();
    for (std::size_t panel = 0; panel < linear.num_panels(); ++panel) {
      linear.multiply_into(panel, kGradientRows, in, product + panel * linear.panel_outputs(0),
                           width, scratch.products);
    }
    store_scaled(products_.kernels, products_.element, product, scale_, kGradientRows * width,
                 low.data(), first * width);
  });
}

void LearnedLinear::multiply(const void* x, std::size_t rows, float* out, AlignedBuffer& low,
                             Crew& crew) const {
  const bool adapts = rank_ > 0 && adapters_on_;
  if (adapts) multiply_low(*a_forward_, x, rows, low, crew);
  multiply_all(*forward_, adapts ? b_forward_.get() : nullptr, x, rows, low, out, crew);
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

void LearnedLinear::add_low(const Linear& adapter, std::size_t rows, const AlignedBuffer& low,
                            float* out, Crew& crew) const {
  const std::size_t low_bytes = low_width() * element_bytes(products_.element);
  const std::size_t num_blocks = padded_gradient_rows(rows) / kGradientRows;
  crew.for_parts(num_blocks * adapter.num_panels(), [&](std::size_t part, CrewScratch& scratch) {
    const std::size_t panel = part % adapter.num_panels();
    const std::size_t first = part / adapter.num_panels() * kGradientRows;
    adapter.add_into(panel, kGradientRows, low.data() + first * low_bytes,
                     out + first * inputs_ + panel * adapter.panel_outputs(0), inputs_,
                     scratch.products);
  });
}

void LearnedLinear::multiply_backward(const void* g, std::size_t rows, float* d_x,
                                      AlignedBuffer& d_low, Crew& crew) const {
  if (rank_ > 0) multiply_low(*b_backward_, g, rows, d_low, crew);
  if (backward_ != nullptr) {
    multiply_all(*backward_, a_backward_.get(), g, rows, d_low, d_x, crew);
    return;
  }
  multiply_widened(g, rows, d_x, crew);
  if (rank_ > 0) add_low(*a_backward_, rows, d_low, d_x, crew);
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
    add({d_low.data() + start, rank_, low_width()}, input, part.d_a);
    add(g_part, {low.data() + start, rank_, low_width()}, part.d_b);
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
  return bytes + a_forward_->num_bytes() + a_backward_->num_bytes() + b_forward_->num_bytes() +
         b_backward_->num_bytes();
}

}  // namespace rr::internal
