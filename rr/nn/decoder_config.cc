#include "rr/nn/decoder_config.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <string_view>
#include <utility>

namespace rr {
namespace {

// Larger than any model; keeps products of sizes far from overflow.
constexpr std::size_t kLargestSize = std::size_t{1} << 24;

// Reads fields of a JSON object. Absent and null are the same.
class Fields {
 public:
  Fields(const Json& object, std::string prefix, std::string where)
      : object_(object), prefix_(std::move(prefix)), where_(std::move(where)) {}

  const Json* find(const std::string& key) const {
    const auto it = object_.find(prefix_ + key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }

  Result<std::size_t> size(const std::string& key, std::optional<std::size_t> fallback = {}) const {
    const Json* field = find(key);
    if (field == nullptr) {
      if (fallback) return *fallback;
      return fault(key, "a whole number", "nothing");
    }
    const bool is_sensible = field->is_number_integer() && *field > 0 && *field <= kLargestSize;
    if (!is_sensible) {
      return fault(key, fmt::format("a whole number from 1 to {}", kLargestSize), shown(*field));
    }
    return field->get<std::size_t>();
  }

  Result<double> number(const std::string& key, std::optional<double> fallback = {}) const {
    const Json* field = find(key);
    if (field == nullptr) {
      if (fallback) return *fallback;
      return fault(key, "a number", "nothing");
    }
    const bool is_sensible = field->is_number() && std::isfinite(field->get<double>());
    if (!is_sensible) return fault(key, "a finite number", shown(*field));
    return field->get<double>();
  }

  Result<double> positive(const std::string& key, std::optional<double> fallback = {}) const {
    RR_TRY(const double value, number(key, fallback));
    if (value <= 0) return fault(key, "a number above 0", fmt::format("{}", value));
    return value;
  }

  Result<bool> flag(const std::string& key, bool fallback) const {
    const Json* field = find(key);
    if (field == nullptr) return fallback;
    if (!field->is_boolean()) return fault(key, "true or false", shown(*field));
    return field->get<bool>();
  }

  Result<std::string> text(const std::string& key, std::optional<std::string> fallback = {}) const {
    const Json* field = find(key);
    if (field == nullptr) {
      if (fallback) return *fallback;
      return fault(key, "a string", "nothing");
    }
    if (!field->is_string()) return fault(key, "a string", shown(*field));
    return field->get<std::string>();
  }

  Error fault(const std::string& key, const std::string& expected, const std::string& found) const {
    return Error{Errc::kMalformed,
                 fmt::format("expected {}{} to be {}, found {}", prefix_, key, expected, found),
                 where_};
  }

  Error unsupported(const std::string& what) const {
    return Error{Errc::kRejected, what + "; this variant is not supported", where_};
  }

 private:
  static std::string shown(const Json& value) {
    constexpr std::size_t kMostShown = 40;
    const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
    return text.size() <= kMostShown ? text : text.substr(0, kMostShown) + "...";
  }

  const Json& object_;
  std::string prefix_;
  std::string where_;
};

std::vector<float> plain_frequencies(double theta, std::size_t head_dim) {
  std::vector<float> frequencies(head_dim / 2);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(head_dim);
    frequencies[i] = static_cast<float>(1.0 / std::pow(theta, exponent));
  }
  return frequencies;
}

void scale_linearly(Rope& rope, double factor) {
  for (float& frequency : rope.inverse_frequencies) {
    frequency = static_cast<float>(frequency / factor);
  }
}

// Llama 3.1: long wavelengths are stretched by `factor`, short ones kept, those between are
// blended.
struct Llama3Scaling {
  double factor;
  double low_frequency_factor;
  double high_frequency_factor;
  double original_context;
};

void scale_as_llama3(Rope& rope, const Llama3Scaling& scaling) {
  for (float& frequency : rope.inverse_frequencies) {
    const double wavelength = 2 * std::numbers::pi / frequency;
    const double turns = scaling.original_context / wavelength;
    const double blend = (turns - scaling.low_frequency_factor) /
                         (scaling.high_frequency_factor - scaling.low_frequency_factor);
    const double kept = std::clamp(blend, 0.0, 1.0);
    frequency = static_cast<float>((1 - kept) * frequency / scaling.factor + kept * frequency);
  }
}

// YaRN (Peng et al., arXiv 2309.00071, sections 3.2 and 3.4), with the rounding of the bounds to
// whole dimensions that Hugging Face and llama.cpp share.
struct YarnScaling {
  double theta;
  double factor;
  double original_context;
  double beta_fast;
  double beta_slow;
  bool rounds_bounds;
};

void scale_as_yarn(Rope& rope, const YarnScaling& yarn) {
  const std::size_t half = rope.inverse_frequencies.size();
  const double dims = static_cast<double>(2 * half);
  // The dimension that turns `rotations` times over the original context.
  const auto dimension_of = [&](double rotations) {
    return dims * std::log(yarn.original_context / (rotations * 2 * std::numbers::pi)) /
           (2 * std::log(yarn.theta));
  };
  double low = dimension_of(yarn.beta_fast);
  double high = dimension_of(yarn.beta_slow);
  if (yarn.rounds_bounds) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dims - 1);
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < half; ++i) {
    const double stretched = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    const double frequency = rope.inverse_frequencies[i];
    rope.inverse_frequencies[i] =
        static_cast<float>(frequency / yarn.factor * stretched + frequency * (1 - stretched));
  }
}

double yarn_attention_factor(double factor, double slope = 1) {
  return factor <= 1 ? 1.0 : 0.1 * slope * std::log(factor) + 1;
}

// Hugging Face ------------------------------------------------------------------------------------

Result<double> yarn_attention_factor_of(const Fields& fields, double factor) {
  if (fields.find("attention_factor") != nullptr) return fields.positive("attention_factor");
  if (fields.find("mscale") != nullptr && fields.find("mscale_all_dim") != nullptr) {
    RR_TRY(const double slope, fields.positive("mscale"));
    RR_TRY(const double slope_all, fields.positive("mscale_all_dim"));
    return yarn_attention_factor(factor, slope) / yarn_attention_factor(factor, slope_all);
  }
  return yarn_attention_factor(factor);
}

Status apply_yarn(const Fields& fields, double theta, std::size_t context, Rope& rope) {
  YarnScaling yarn{};
  yarn.theta = theta;
  RR_TRY(yarn.original_context,
         fields.positive("original_max_position_embeddings", static_cast<double>(context)));
  RR_TRY(yarn.factor, fields.positive("factor"));
  RR_TRY(yarn.beta_fast, fields.positive("beta_fast", 32.0));
  RR_TRY(yarn.beta_slow, fields.positive("beta_slow", 1.0));
  RR_TRY(yarn.rounds_bounds, fields.flag("truncate", true));
  RR_TRY(const double attention_factor, yarn_attention_factor_of(fields, yarn.factor));
  rope.attention_factor = static_cast<float>(attention_factor);
  scale_as_yarn(rope, yarn);
  return ok_status();
}

Status apply_llama3(const Fields& fields, Rope& rope) {
  Llama3Scaling scaling{};
  RR_TRY(scaling.factor, fields.positive("factor"));
  RR_TRY(scaling.low_frequency_factor, fields.positive("low_freq_factor"));
  RR_TRY(scaling.high_frequency_factor, fields.positive("high_freq_factor"));
  RR_TRY(scaling.original_context, fields.positive("original_max_position_embeddings"));
  if (scaling.high_frequency_factor <= scaling.low_frequency_factor) {
    return fields.fault("high_freq_factor", "above low_freq_factor",
                        fmt::format("{}", scaling.high_frequency_factor));
  }
  scale_as_llama3(rope, scaling);
  return ok_status();
}

Status apply_scaling(const Fields& fields, const std::string& type, double theta,
                     std::size_t context, Rope& rope) {
  rope.scaling = type;
  if (type == "default") return ok_status();
  if (type == "linear") {
    RR_TRY(const double factor, fields.positive("factor"));
    scale_linearly(rope, factor);
    return ok_status();
  }
  if (type == "llama3") return apply_llama3(fields, rope);
  if (type == "yarn") return apply_yarn(fields, theta, context, rope);
  return fields.unsupported(
      fmt::format("rope scaling \"{}\" is none of default, linear, llama3, yarn", type));
}

// transformers 5 has everything in rope_parameters, older ones rope_theta and rope_scaling beside
// each other; the scaling's type was called "type" before it was "rope_type".
Result<Rope> read_hugging_face_rope(const Json& json, const Fields& config,
                                    const DecoderConfig& decoder, const std::string& where) {
  static const Json kNone = Json::object();
  const Json* parameters = config.find("rope_parameters");
  if (parameters == nullptr) parameters = config.find("rope_scaling");
  if (parameters == nullptr) parameters = &kNone;
  if (!parameters->is_object()) {
    return config.fault("the rope's parameters", "an object", parameters->type_name());
  }
  const Fields fields(*parameters, "", where);
  if (fields.find("full_attention") != nullptr) {
    return config.unsupported("rope_parameters differ by kind of layer");
  }
  for (const Fields* place : {&config, &fields}) {
    RR_TRY(const double part, place->number("partial_rotary_factor", 1.0));
    if (part != 1.0) return config.unsupported("only a part of each head is rotated");
  }
  RR_TRY(const double older_theta, Fields(json, "", where).positive("rope_theta", 10000.0));
  RR_TRY(const double theta, fields.positive("rope_theta", older_theta));
  if (theta <= 1) return fields.fault("rope_theta", "above 1", fmt::format("{}", theta));
  RR_TRY(const std::string older_type, fields.text("type", "default"));
  RR_TRY(const std::string type, fields.text("rope_type", older_type));
  Rope rope;
  rope.inverse_frequencies = plain_frequencies(theta, decoder.head_dim);
  RR_TRY_STATUS(apply_scaling(fields, type, theta, decoder.context_length, rope));
  return rope;
}

Status refuse_hugging_face_variants(const Fields& fields) {
  RR_TRY(const std::string activation, fields.text("hidden_act", "silu"));
  if (activation != "silu") {
    return fields.unsupported(fmt::format("hidden_act is \"{}\", not silu", activation));
  }
  RR_TRY(const bool has_mlp_bias, fields.flag("mlp_bias", false));
  if (has_mlp_bias) return fields.unsupported("the MLP has biases (mlp_bias)");
  RR_TRY(const bool uses_window, fields.flag("use_sliding_window", false));
  if (uses_window) {
    return fields.unsupported("attention has a sliding window (use_sliding_window)");
  }
  if (const Json* types = fields.find("layer_types"); types != nullptr) {
    for (const Json& type : *types) {
      if (type != "full_attention") {
        return fields.unsupported(fmt::format("layer_types names {}", type.dump()));
      }
    }
  }
  return ok_status();
}

Status read_hugging_face_biases(const Fields& fields, DecoderConfig& config) {
  RR_TRY(const bool has_attention_bias, fields.flag("attention_bias", false));
  const bool is_qwen2 = config.architecture == "qwen2";  // always q, k, v and never o
  config.has_qkv_bias = is_qwen2 || has_attention_bias;
  config.has_output_bias = !is_qwen2 && has_attention_bias;
  return ok_status();
}

Result<DecoderConfig> read_hugging_face(const Json& json, const std::string& where) {
  const Fields fields(json, "", where);
  DecoderConfig config;
  RR_TRY(config.architecture, fields.text("model_type"));
  if (config.architecture != "llama" && config.architecture != "qwen2" &&
      config.architecture != "qwen3") {
    return Error{
        Errc::kRejected,
        fmt::format("expected model_type llama, qwen2 or qwen3, found \"{}\"", config.architecture),
        where};
  }
  RR_TRY_STATUS(refuse_hugging_face_variants(fields));
  RR_TRY(config.num_layers, fields.size("num_hidden_layers"));
  RR_TRY(config.hidden_size, fields.size("hidden_size"));
  RR_TRY(config.num_heads, fields.size("num_attention_heads"));
  RR_TRY(config.num_kv_heads, fields.size("num_key_value_heads", config.num_heads));
  const std::size_t usual_head_dim =
      config.architecture == "qwen3" ? 128 : config.hidden_size / config.num_heads;
  RR_TRY(config.head_dim, fields.size("head_dim", usual_head_dim));
  RR_TRY(config.ffn_size, fields.size("intermediate_size"));
  RR_TRY(config.vocabulary_size, fields.size("vocab_size"));
  RR_TRY(config.context_length, fields.size("max_position_embeddings"));
  RR_TRY(const double epsilon, fields.positive("rms_norm_eps", 1e-6));
  config.rms_epsilon = static_cast<float>(epsilon);
  config.has_qk_norm = config.architecture == "qwen3";
  RR_TRY(config.has_tied_embedding, fields.flag("tie_word_embeddings", false));
  RR_TRY_STATUS(read_hugging_face_biases(fields, config));
  RR_TRY(config.rope, read_hugging_face_rope(json, fields, config, where));
  return config;
}

// GGUF --------------------------------------------------------------------------------------------

// Llama 3's scaling comes as a tensor of divisors, one a pair.
Status apply_gguf_divisors(const TensorView& tensor, const Fields& fields, Rope& rope) {
  const std::size_t half = rope.inverse_frequencies.size();
  if (tensor.shape != std::vector<std::size_t>{half}) {
    return fields.fault("tensor rope_freqs.weight", fmt::format("{} numbers", half),
                        fmt::format("{}", tensor.num_elements()));
  }
  std::vector<float> divisors(half);
  dequantize_row(tensor, 0, divisors);
  for (std::size_t i = 0; i < half; ++i) {
    const bool is_sensible = std::isfinite(divisors[i]) && divisors[i] > 0;
    if (!is_sensible) {
      return fields.fault("tensor rope_freqs.weight", "finite and above 0",
                          fmt::format("{}", divisors[i]));
    }
    rope.inverse_frequencies[i] /= divisors[i];
  }
  rope.scaling = "llama3";
  return ok_status();
}

Status apply_gguf_yarn(const Fields& fields, double theta, std::size_t context, Rope& rope) {
  YarnScaling yarn{};
  yarn.theta = theta;
  yarn.rounds_bounds = true;
  RR_TRY(yarn.original_context,
         fields.positive("rope.scaling.original_context_length", static_cast<double>(context)));
  RR_TRY(yarn.factor, fields.positive("rope.scaling.factor"));
  RR_TRY(yarn.beta_fast, fields.positive("rope.scaling.yarn_beta_fast", 32.0));
  RR_TRY(yarn.beta_slow, fields.positive("rope.scaling.yarn_beta_slow", 1.0));
  RR_TRY(const double extra, fields.positive("rope.scaling.attn_factor", 1.0));
  rope.attention_factor = static_cast<float>(extra * yarn_attention_factor(yarn.factor));
  scale_as_yarn(rope, yarn);
  return ok_status();
}

Result<Rope> read_gguf_rope(const ModelFiles& files, const Fields& fields,
                            const DecoderConfig& config) {
  RR_TRY(const double theta, fields.positive("rope.freq_base", 10000.0));
  if (theta <= 1) return fields.fault("rope.freq_base", "above 1", fmt::format("{}", theta));
  Rope rope;
  rope.inverse_frequencies = plain_frequencies(theta, config.head_dim);
  RR_TRY(const std::string type, fields.text("rope.scaling.type", "none"));
  if (type == "linear") {
    RR_TRY(const double factor, fields.positive("rope.scaling.factor"));
    scale_linearly(rope, factor);
    rope.scaling = type;
  } else if (type == "yarn") {
    RR_TRY_STATUS(apply_gguf_yarn(fields, theta, config.context_length, rope));
    rope.scaling = type;
  } else if (type != "none") {
    return fields.unsupported(
        fmt::format("rope scaling \"{}\" is none of none, linear, yarn", type));
  }
  if (const TensorView* divisors = files.find("rope_freqs.weight"); divisors != nullptr) {
    RR_TRY_STATUS(apply_gguf_divisors(*divisors, fields, rope));
  }
  return rope;
}

Status refuse_gguf_variants(const Fields& fields, const DecoderConfig& config) {
  if (fields.find("expert_count") != nullptr && *fields.find("expert_count") != 0) {
    return fields.unsupported("the model is a mixture of experts");
  }
  if (fields.find("attention.sliding_window") != nullptr) {
    return fields.unsupported("attention has a sliding window");
  }
  RR_TRY(const std::size_t value_length, fields.size("attention.value_length", config.head_dim));
  RR_TRY(const std::size_t rotated, fields.size("rope.dimension_count", config.head_dim));
  if (value_length != config.head_dim) {
    return fields.unsupported("keys and values differ in length");
  }
  if (rotated != config.head_dim) {
    return fields.unsupported("only a part of each head is rotated");
  }
  return ok_status();
}

Result<DecoderConfig> read_gguf(const ModelFiles& files, const std::string& where) {
  DecoderConfig config;
  RR_TRY(config.architecture, Fields(files.metadata(), "general.", where).text("architecture"));
  if (config.architecture != "llama" && config.architecture != "qwen2" &&
      config.architecture != "qwen3") {
    return Error{Errc::kRejected,
                 fmt::format("expected architecture llama, qwen2 or qwen3, found \"{}\"; --engine "
                             "llama.cpp runs others",
                             config.architecture),
                 where};
  }
  const Fields fields(files.metadata(), config.architecture + ".", where);
  RR_TRY(config.num_layers, fields.size("block_count"));
  RR_TRY(config.hidden_size, fields.size("embedding_length"));
  RR_TRY(config.num_heads, fields.size("attention.head_count"));
  RR_TRY(config.num_kv_heads, fields.size("attention.head_count_kv", config.num_heads));
  RR_TRY(config.head_dim,
         fields.size("attention.key_length", config.hidden_size / config.num_heads));
  RR_TRY(config.ffn_size, fields.size("feed_forward_length"));
  RR_TRY(config.context_length, fields.size("context_length"));
  RR_TRY(const double epsilon, fields.positive("attention.layer_norm_rms_epsilon"));
  config.rms_epsilon = static_cast<float>(epsilon);
  RR_TRY_STATUS(refuse_gguf_variants(fields, config));
  const TensorView* embedding = files.find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) {
    return fields.fault("tensor token_embd.weight", "a matrix", "none");
  }
  config.vocabulary_size = embedding->shape[0];
  config.has_qk_norm = config.architecture == "qwen3";
  config.has_qkv_bias = files.find("blk.0.attn_q.bias") != nullptr;
  config.has_output_bias = files.find("blk.0.attn_output.bias") != nullptr;
  config.has_tied_embedding = files.find("output.weight") == nullptr;
  return config;
}

Status check_sizes(const DecoderConfig& config, const std::string& where) {
  if (config.num_heads % config.num_kv_heads != 0) {
    return Error{Errc::kMalformed,
                 fmt::format("expected the number of heads to be a multiple of that of KV heads, "
                             "found {} and {}",
                             config.num_heads, config.num_kv_heads),
                 where};
  }
  constexpr std::size_t kLargestHead = 1024;
  if (config.head_dim == 0 || config.head_dim % 2 != 0 || config.head_dim > kLargestHead) {
    return Error{Errc::kMalformed,
                 fmt::format("expected heads of an even size up to {}, found {}", kLargestHead,
                             config.head_dim),
                 where};
  }
  return ok_status();
}

}  // namespace

std::size_t DecoderConfig::num_parameters() const {
  const std::size_t q = num_heads * head_dim;
  const std::size_t kv = num_kv_heads * head_dim;
  std::size_t layer = hidden_size * (2 * q + 2 * kv) + 3 * hidden_size * ffn_size + 2 * hidden_size;
  if (has_qkv_bias) layer += q + 2 * kv;
  if (has_output_bias) layer += hidden_size;
  if (has_qk_norm) layer += 2 * head_dim;
  const std::size_t embeddings = (has_tied_embedding ? 1 : 2) * vocabulary_size * hidden_size;
  return num_layers * layer + embeddings + hidden_size;
}

Result<DecoderConfig> read_decoder_config(const ModelFiles& files) {
  const bool is_gguf = files.format() == ModelFiles::Format::kGguf;
  const std::string where =
      is_gguf ? files.path().string() : (files.path() / "config.json").string();
  if (!files.metadata().is_object()) {
    return Error{Errc::kMalformed, "expected a JSON object", where};
  }
  if (!is_gguf) {
    RR_TRY(DecoderConfig config, read_hugging_face(files.metadata(), where));
    RR_TRY_STATUS(check_sizes(config, where));
    return config;
  }
  RR_TRY(DecoderConfig config, read_gguf(files, where));
  RR_TRY_STATUS(check_sizes(config, where));
  const Fields fields(files.metadata(), config.architecture + ".", where);
  RR_TRY(config.rope, read_gguf_rope(files, fields, config));
  return config;
}

}  // namespace rr
