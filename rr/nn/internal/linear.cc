#include "rr/nn/internal/linear.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/cpu.h"
#include "rr/nn/internal/dnnl_versions.h"
#include "rr/nn/internal/pair_blocks.h"
#include "rr/nn/internal/product_amx.h"
#include "rr/nn/internal/quantised_linear.h"
#include "rr/nn/internal/strip_linear.h"

namespace rr::internal {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

// Not one row alone: oneDNN 3 sums it in another order than the same row among others.
constexpr std::array<std::size_t, 13> kRowCounts = {2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128};
static_assert(kRowCounts.back() == kMaxProductRows);

// Weights are laid out for this many rows; the same layout then serves all.
constexpr std::size_t kLayoutRows = kMaxProductRows;

std::size_t row_count_index(std::size_t rows) {
  RR_CHECK(rows >= 1 && rows <= kMaxProductRows, "a product has 1 to 128 rows");
  const auto it = std::lower_bound(kRowCounts.begin(), kRowCounts.end(), rows);
  return static_cast<std::size_t>(it - kRowCounts.begin());
}

memory::dim dim(std::size_t value) { return static_cast<memory::dim>(value); }

// A weight in the layout that oneDNN likes best.
memory::desc any_layout(std::size_t num_inputs, std::size_t num_outputs) {
  return {{dim(num_inputs), dim(num_outputs)}, memory::data_type::bf16, Tag::any};
}

dnnl::matmul::primitive_desc describe(std::size_t rows, const memory::desc& weight) {
  const memory::dims dims = dims_of(weight);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const memory::desc in({dim(rows), dims[0]}, memory::data_type::bf16, Tag::ab);
  const memory::desc out({dim(rows), dims[1]}, memory::data_type::f32, Tag::ab);
  return describe_product(cpu_engine(), in, weight, out, attributes);
}

// oneDNN takes a limit before its first product alone. It never gets AMX: what fills tiles is ours
// (product_amx.h), and its own products on tiles give a row other sums in another batch.
void limit_dnnl() {
  switch (isa_limit()) {
    case IsaLimit::kBase:
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::sse41);
      return;
    case IsaLimit::kAvx2:
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2);
      return;
    case IsaLimit::kAvx512:
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core);
      return;
    case IsaLimit::kAvx512Vnni:
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core_vnni);
      return;
    case IsaLimit::kAvx512Bf16:
    case IsaLimit::kNone:
      dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx512_core_bf16);
      return;
  }
}

}  // namespace

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine = [] {
    limit_dnnl();
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return engine;
}

std::size_t padded_product_rows(std::size_t rows) { return kRowCounts[row_count_index(rows)]; }

bool can_multiply_bf16() {
  if (!cpu_features().has_avx512_bf16) return false;
  try {
    const auto product = describe(kLayoutRows, any_layout(64, 64));
    return std::string_view(product.impl_info_str()).find("ref") == std::string_view::npos;
  } catch (const dnnl::error&) {
    return false;
  }
}

Element attention_element(ProductFamily family, bool force_generic) {
  const bool attends_in_bf16 = is_quantised(family) && !force_generic && can_multiply_bf16();
  return attends_in_bf16 ? Element::kBf16 : activation_element(family);
}

namespace {

// The layout of a weight, where it is of pair_blocks.h.
std::optional<PairBlocks> pair_blocks_of(const memory::desc& weight, const MatrixBlocks& layout) {
  if (layout.dimensions != memory::dims{0, 1, 0} || layout.sizes[0] != 16 || layout.sizes[2] != 2) {
    return std::nullopt;
  }
  const memory::dims dims = dims_of(weight);
  const memory::dim width = layout.sizes[1];
  const bool is_dense =
      layout.offset == 0 && layout.strides[0] == 32 * width && layout.strides[1] == dims[0] * width;
  if (!is_dense || width % 16 != 0 || dims[0] % 32 != 0 || dims[1] % width != 0) {
    return std::nullopt;
  }
  const auto size = [](memory::dim value) { return static_cast<std::size_t>(value); };
  return PairBlocks{size(dims[1]), size(dims[0]), size(width)};
}

}  // namespace

// The products of one shape of weight, for each number of rows.
class ProductCache::Shape {
 public:
  Shape(std::size_t num_inputs, std::size_t num_outputs)
      : weight_(describe(kLayoutRows, any_layout(num_inputs, num_outputs)).weights_desc()),
        blocks_(blocks_of(weight_)),
        pair_blocks_(pair_blocks_of(weight_, blocks_)) {}

  const memory::desc& weight() const { return weight_; }
  const MatrixBlocks& blocks() const { return blocks_; }
  const std::optional<PairBlocks>& pair_blocks() const { return pair_blocks_; }

  void execute(std::size_t rows, const void* in, const void* weight, float* out,
               ProductScratch& scratch) {
    const Product& product = product_of(rows);
    scratch.dnnl_scratchpad.reserve(product.scratchpad.get_size());
    // oneDNN does not write to sources, but its memory takes no const.
    const memory in_memory(product.in, cpu_engine(), const_cast<void*>(in));
    const memory weight_memory(weight_, cpu_engine(), const_cast<void*>(weight));
    const memory out_memory(product.out, cpu_engine(), out);
    const memory scratchpad(product.scratchpad, cpu_engine(), scratch.dnnl_scratchpad.data());
    product.primitive.execute(scratch.stream, {{DNNL_ARG_SRC, in_memory},
                                               {DNNL_ARG_WEIGHTS, weight_memory},
                                               {DNNL_ARG_DST, out_memory},
                                               {DNNL_ARG_SCRATCHPAD, scratchpad}});
  }

 private:
  struct Product {
    dnnl::matmul primitive;
    memory::desc in;
    memory::desc out;
    memory::desc scratchpad;
  };

  const Product& product_of(std::size_t rows) {
    const std::size_t index = row_count_index(rows);
    const Product* product = ready_[index].load(std::memory_order_acquire);
    return product != nullptr ? *product : create(index);
  }

  const Product& create(std::size_t index) {
    const std::lock_guard lock(mutex_);
    if (products_[index] == nullptr) {
      const auto description = describe(kRowCounts[index], weight_);
      products_[index] =
          std::make_unique<Product>(Product{dnnl::matmul(description), description.src_desc(),
                                            description.dst_desc(), description.scratchpad_desc()});
      ready_[index].store(products_[index].get(), std::memory_order_release);
    }
    return *products_[index];
  }

  memory::desc weight_;
  MatrixBlocks blocks_;
  std::optional<PairBlocks> pair_blocks_;
  std::mutex mutex_;  // guards products_
  std::array<std::unique_ptr<Product>, kRowCounts.size()> products_;
  std::array<std::atomic<const Product*>, kRowCounts.size()> ready_ = {};
};

struct ProductCache::State {
  WeightArena arena;
  std::mutex mutex;  // guards shapes
  std::map<std::pair<std::size_t, std::size_t>, std::unique_ptr<Shape>> shapes;
};

ProductCache::ProductCache() : state_(std::make_unique<State>()) {}
ProductCache::~ProductCache() = default;

WeightArena& ProductCache::arena() { return state_->arena; }

ProductCache::Shape& ProductCache::shape(std::size_t num_inputs, std::size_t num_outputs) {
  const std::lock_guard lock(state_->mutex);
  std::unique_ptr<Shape>& shape = state_->shapes[{num_inputs, num_outputs}];
  if (shape == nullptr) shape = std::make_unique<Shape>(num_inputs, num_outputs);
  return *shape;
}

namespace {

// Where element (k, n) of a blocked layout stands, in elements (oneDNN developer guide, "Memory
// format propagation": inner blocks are counted from the innermost outwards).
std::size_t offset_in(const MatrixBlocks& blocks, memory::dim k, memory::dim n) {
  memory::dim position[2] = {k, n};
  memory::dim offset = blocks.offset;
  memory::dim stride = 1;
  for (std::size_t i = blocks.sizes.size(); i-- > 0;) {
    memory::dim& along = position[blocks.dimensions[i]];
    offset += along % blocks.sizes[i] * stride;
    along /= blocks.sizes[i];
    stride *= blocks.sizes[i];
  }
  offset += position[0] * blocks.strides[0] + position[1] * blocks.strides[1];
  return static_cast<std::size_t>(offset);
}

// kBf16: weights in the layout that oneDNN chose.
class PackedLinear : public Linear {
 public:
  PackedLinear(std::size_t num_inputs, std::vector<std::size_t> panels, ProductCache& cache,
               const RowKernels& kernels)
      : num_inputs_(num_inputs), outputs_(std::move(panels)), kernels_(kernels) {
    for (const std::size_t outputs : outputs_) {
      ProductCache::Shape& shape = cache.shape(num_inputs, outputs);
      const std::size_t bytes = shape.weight().get_size();
      panels_.push_back({&shape, cache.arena().allocate(bytes), bytes});
    }
  }

  std::size_t num_inputs() const override { return num_inputs_; }
  std::size_t num_panels() const override { return panels_.size(); }
  std::size_t panel_outputs(std::size_t panel) const override { return outputs_[panel]; }

  void pack(std::size_t panel, const float* weight, ProductScratch& scratch) override {
    if (const auto& blocks = panels_[panel].shape->pair_blocks()) {
      pack_pair_blocks(*blocks, weight, static_cast<Bf16*>(panels_[panel].weight));
      return;
    }
    const memory::desc plain({dim(num_inputs_), dim(outputs_[panel])}, memory::data_type::f32,
                             Tag::ba);
    memory source(plain, cpu_engine(), const_cast<float*>(weight));
    memory target(panels_[panel].shape->weight(), cpu_engine(), panels_[panel].weight);
    dnnl::reorder(source, target).execute(scratch.stream, source, target);
  }

  void pack_columns(std::size_t panel, std::span<const float* const> rows,
                    ProductScratch& scratch) override {
    if (const auto& blocks = panels_[panel].shape->pair_blocks()) {
      pack_columns_in_pair_blocks(*blocks, rows.data(), static_cast<Bf16*>(panels_[panel].weight));
      return;
    }
    Linear::pack_columns(panel, rows, scratch);
  }

  void multiply(std::size_t panel, std::size_t rows, const void* in, float* out,
                ProductScratch& scratch) const override {
    panels_[panel].shape->execute(rows, in, panels_[panel].weight, out, scratch);
  }

  void add_into(std::size_t panel, std::size_t rows, const void* in, float* out,
                std::size_t out_stride, ProductScratch& scratch) const override {
    const std::size_t outputs = outputs_[panel];
    scratch.panel.reserve(padded_product_rows(rows) * outputs * sizeof(float));
    float* const product = scratch.panel.data<float>();
    multiply(panel, rows, in, product, scratch);
    for (std::size_t r = 0; r < rows; ++r) {
      kernels_.add(product + r * outputs, outputs, out + r * out_stride);
    }
  }

  void weight_row(std::size_t panel, std::size_t row, float* out) const override {
    const MatrixBlocks& blocks = panels_[panel].shape->blocks();
    const auto* const weight = static_cast<const Bf16*>(panels_[panel].weight);
    for (std::size_t k = 0; k < num_inputs_; ++k) {
      out[k] = to_float(weight[offset_in(blocks, dim(k), dim(row))]);
    }
  }

  std::size_t num_bytes() const override {
    std::size_t bytes = 0;
    for (const Panel& panel : panels_) bytes += panel.num_bytes;
    return bytes;
  }

 private:
  struct Panel {
    ProductCache::Shape* shape;
    void* weight;
    std::size_t num_bytes;
  };

  std::size_t num_inputs_;
  std::vector<std::size_t> outputs_;
  const RowKernels& kernels_;
  std::vector<Panel> panels_;
};

Bf16* allocate_bf16(WeightArena& arena, std::size_t count) {
  return static_cast<Bf16*>(static_cast<void*>(arena.allocate(count * sizeof(Bf16))));
}

// kAmx: see product_amx.h.
class AmxLinear : public Linear {
 public:
  AmxLinear(std::size_t num_inputs, std::vector<std::size_t> panels, WeightArena& arena)
      : num_inputs_(num_inputs), outputs_(std::move(panels)) {
    RR_CHECK(num_inputs % 32 == 0, "AMX products take inputs in whole groups of 32");
    for (const std::size_t outputs : outputs_) {
      panels_.push_back(allocate_bf16(arena, amx_packed_elements(outputs, num_inputs)));
    }
  }

  std::size_t num_inputs() const override { return num_inputs_; }
  std::size_t num_panels() const override { return panels_.size(); }
  std::size_t panel_outputs(std::size_t panel) const override { return outputs_[panel]; }

  void pack(std::size_t panel, const float* weight, ProductScratch&) override {
    pack_for_amx(weight, outputs_[panel], num_inputs_, panels_[panel]);
  }

  void pack_columns(std::size_t panel, std::span<const float* const> rows,
                    ProductScratch&) override {
    pack_columns_for_amx(rows.data(), outputs_[panel], num_inputs_, panels_[panel]);
  }

  void multiply(std::size_t panel, std::size_t rows, const void* in, float* out,
                ProductScratch&) const override {
    multiply_on_amx(static_cast<const Bf16*>(in), rows, num_inputs_, panels_[panel],
                    outputs_[panel], out, outputs_[panel]);
  }

  void multiply_into(std::size_t panel, std::size_t rows, const void* in, float* out,
                     std::size_t out_stride, ProductScratch&) const override {
    multiply_on_amx(static_cast<const Bf16*>(in), rows, num_inputs_, panels_[panel],
                    outputs_[panel], out, out_stride);
  }

  void add_into(std::size_t panel, std::size_t rows, const void* in, float* out,
                std::size_t out_stride, ProductScratch&) const override {
    add_on_amx(static_cast<const Bf16*>(in), rows, num_inputs_, panels_[panel], outputs_[panel],
               out, out_stride);
  }

  std::size_t rows_at_once() const override { return amx_rows_at_once(num_inputs_); }

  void weight_row(std::size_t panel, std::size_t row, float* out) const override {
    const Bf16* const packed = panels_[panel];
    for (std::size_t k = 0; k < num_inputs_; ++k) {
      out[k] = to_float(packed[amx_packed_offset(row, k, num_inputs_)]);
    }
  }

  std::size_t num_bytes() const override {
    std::size_t bytes = 0;
    for (const std::size_t outputs : outputs_) {
      bytes += amx_packed_elements(outputs, num_inputs_) * sizeof(Bf16);
    }
    return bytes;
  }

 private:
  std::size_t num_inputs_;
  std::vector<std::size_t> outputs_;
  std::vector<Bf16*> panels_;
};

}  // namespace

void Linear::pack_int4(std::size_t, std::size_t, std::span<const Int4Block>) {
  RR_CHECK(false, "only int4 takes int4's blocks");
}

void Linear::pack_columns(std::size_t panel, std::span<const float* const> rows,
                          ProductScratch& scratch) {
  const std::size_t count = panel_outputs(panel);
  scratch.panel.reserve(count * rows.size() * sizeof(float));
  float* const columns = scratch.panel.data<float>();
  constexpr std::size_t kTile = 16;  // of a transposition: both sides in whole cache lines
  for (std::size_t r0 = 0; r0 < rows.size(); r0 += kTile) {
    const std::size_t r_end = std::min(rows.size(), r0 + kTile);
    for (std::size_t c0 = 0; c0 < count; c0 += kTile) {
      const std::size_t c_end = std::min(count, c0 + kTile);
      for (std::size_t r = r0; r < r_end; ++r) {
        for (std::size_t c = c0; c < c_end; ++c) columns[c * rows.size() + r] = rows[r][c];
      }
    }
  }
  pack(panel, columns, scratch);
}

void Linear::multiply_into(std::size_t panel, std::size_t rows, const void* in, float* out,
                           std::size_t out_stride, ProductScratch& scratch) const {
  const std::size_t outputs = panel_outputs(panel);
  scratch.panel.reserve(padded_product_rows(rows) * outputs * sizeof(float));
  float* const product = scratch.panel.data<float>();
  multiply(panel, rows, in, product, scratch);
  for (std::size_t r = 0; r < rows; ++r) {
    std::copy_n(product + r * outputs, outputs, out + r * out_stride);
  }
}

void Linear::add_into(std::size_t, std::size_t, const void*, float*, std::size_t,
                      ProductScratch&) const {
  RR_CHECK(false, "adapters are not quantised");
}

void Linear::widen(std::size_t, std::size_t, std::size_t, Element, void*) const {
  RR_CHECK(false, "only quantised weights are widened by pieces");
}

std::size_t Linear::max_panel_outputs() const {
  std::size_t most = 0;
  for (std::size_t p = 0; p < num_panels(); ++p) most = std::max(most, panel_outputs(p));
  return most;
}

std::unique_ptr<Linear> make_linear(ProductFamily family, std::size_t num_inputs,
                                    std::vector<std::size_t> panels, ProductCache& cache,
                                    const RowKernels& kernels) {
  if (family == ProductFamily::kAmx) {
    return std::make_unique<AmxLinear>(num_inputs, std::move(panels), cache.arena());
  }
  if (family == ProductFamily::kGeneric || family == ProductFamily::kF32) {
    return make_strip_linear(family, num_inputs, std::move(panels), cache.arena(), kernels);
  }
  if (is_quantised(family)) {
    return make_quantised_linear(family, num_inputs, std::move(panels), cache.arena(), kernels);
  }
  return std::make_unique<PackedLinear>(num_inputs, std::move(panels), cache, kernels);
}

}  // namespace rr::internal
