// llama.cpp as an engine: what it writes against our own engine on the same weights, models that
// ours has not, and the program that chooses between them.

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/random.h"
#include "rr/base/utf8.h"
#include "rr/lm_llama/llama_generator.h"
#include "rr/lm_local/local_generator.h"
#include "rr/weights/gguf_writer.h"
#include "rr/weights/internal/file_builder.h"
#include "rr/weights/model_files.h"
#include "tests/program.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using internal::GgufBuilder;

constexpr std::uint32_t kU32 = 4;
constexpr std::uint32_t kI32 = 5;
constexpr std::uint32_t kF32 = 6;
constexpr std::uint32_t kArray = 9;

// The default model, its weights as float32 so that both engines compute the same, but for keys and
// values, which llama.cpp rounds to F16.
class Agreement : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!fs::exists(default_model_file())) return;
    path_ = fs::temp_directory_path() / fmt::format("rr-llama-{}.gguf", ::getpid());
    const auto files = ModelFiles::open(default_model_file()).value();
    ASSERT_TRUE(write_gguf(path_, *files->gguf_entries(), files->tensors(), TensorType::kF32).ok());
    LocalModelOptions options;
    options.decoder.precision = Precision::kF32;
    model_ = LocalModel::load(path_, options).value();
    ours_ = std::make_unique<LocalGenerator>(*model_);
    LlamaOptions llama;
    llama.num_threads = 1;
    llama.max_sequences = 8;
    llama.context_tokens = 1024;
    theirs_ = LlamaGenerator::load(path_, llama).value();
  }
  static void TearDownTestSuite() {
    theirs_.reset();
    ours_.reset();
    model_.reset();
    fs::remove(path_);
  }
  void SetUp() override { RR_NEEDS_FILE(default_model_file()); }

  static std::vector<Completion> run(Generator& generator,
                                     std::vector<GenerationRequest> requests) {
    auto completions = generate_all(generator, std::move(requests));
    EXPECT_TRUE(completions.ok()) << (completions.ok() ? "" : completions.error().to_string());
    return std::move(completions).value();
  }

  static inline fs::path path_;
  static inline std::unique_ptr<LocalModel> model_;
  static inline std::unique_ptr<LocalGenerator> ours_;
  static inline std::unique_ptr<LlamaGenerator> theirs_;
};

std::vector<std::string> questions() {
  std::vector<std::string> found;
  LineReader reader = LineReader::open(fs::path(RR_SOURCE_DIR) / "data/tiny/queries.jsonl").value();
  for (std::string line; reader.next(line).value();) {
    found.push_back(parse_json(line, "queries").value()["text"].get<std::string>());
  }
  return found;
}

std::vector<GenerationRequest> ask_all(const std::vector<Stage>& stages) {
  std::vector<GenerationRequest> requests;
  for (const std::string& question : questions()) {
    requests.push_back({Messages{{Role::kUser, question}}, stages, {}, question});
  }
  return requests;
}

TEST_F(Agreement, LogProbabilitiesOfAGivenText) {
  const std::vector<Stage> stages = {
      ForcedStage{"The sky is blue because air scatters short waves more than long ones (Rayleigh, "
                  "1871); at dusk it is red. [3] > [1] > [2]"}};
  const auto ours = run(*ours_, ask_all(stages));
  const auto theirs = run(*theirs_, ask_all(stages));
  double total = 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    ASSERT_EQ(ours[i].ids, theirs[i].ids);
    for (std::size_t k = 0; k < ours[i].ids.size(); ++k, ++count) {
      const double difference = std::abs(ours[i].token_logprobs[k] - theirs[i].token_logprobs[k]);
      EXPECT_LT(difference, 0.02) << ours[i].text << " " << k;
      total += difference;
    }
  }
  ASSERT_GT(count, 500u);
  EXPECT_LT(total / static_cast<double>(count), 5e-3);
}

// Where two greedy texts part, the model all but weighs the two tokens alike.
TEST_F(Agreement, GreedyTextsPartOnlyAtNearTies) {
  const auto ours = run(*ours_, ask_all({FreeStage{48, {}}}));
  const auto theirs = run(*theirs_, ask_all({FreeStage{48, {}}}));
  std::size_t same = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const auto [mine, other] = std::mismatch(ours[i].ids.begin(), ours[i].ids.end(),
                                             theirs[i].ids.begin(), theirs[i].ids.end());
    if (mine == ours[i].ids.end() && other == theirs[i].ids.end()) {
      ++same;
      continue;
    }
    ASSERT_TRUE(mine != ours[i].ids.end() && other != theirs[i].ids.end()) << "one text ends early";
    // The difference in log-probability of the two tokens, as our engine has it.
    const RenderedPrompt prompt = model_->chat()->render(Messages{{Role::kUser, questions()[i]}});
    TokenIds ids = with_begin_token(model_->tokenizer(),
                                    model_->tokenizer().encode(prompt.text, prompt.control));
    ids.insert(ids.end(), ours[i].ids.begin(), mine);
    const auto choice = run(*ours_, {{ids, {TokenChoiceStage{{*mine, *other}}}, {}, ""}});
    const auto& choices = choice[0].stages[0].choices;
    EXPECT_LT(std::abs(choices[0].logprob - choices[1].logprob), 0.02) << ours[i].text;
  }
  EXPECT_GE(same + 2, ours.size());  // 26 of them
}

TEST_F(Agreement, OrdersUnderConstraint) {
  const std::vector<Stage> stages = {ForcedStage{"<answer>"}, PermutationStage{12}};
  const auto ours = run(*ours_, ask_all(stages));
  const auto theirs = run(*theirs_, ask_all(stages));
  std::size_t same = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const auto& a = ours[i].stages[1].choices;
    const auto& b = theirs[i].stages[1].choices;
    ASSERT_EQ(a.size(), 12u);
    ASSERT_EQ(b.size(), 12u);
    for (std::size_t k = 0; k < a.size(); ++k) {
      // The best probability among those open is the same, whichever of near equals has it.
      EXPECT_NEAR(a[k].logprob, b[k].logprob, 0.02) << i << " " << k;
      if (a[k].identifier != b[k].identifier) break;
      same += k + 1 == a.size() ? 1 : 0;
    }
  }
  EXPECT_GE(same + 2, ours.size());
}

// A model of a few thousand random weights, with a SentencePiece vocabulary that llama.cpp alone
// reads and Gemma's way to write a conversation.
class StrangeModel {
 public:
  StrangeModel() {
    const std::vector<std::string> words = {"[", "]", ">",  "\u2581", "\u2581>",   "\u2581[",
                                            "e", "t", "th", "the",    "\u2581the", "a",
                                            "s", "1", "2",  "3",      "12"};
    add("<unk>", 2);
    add("<s>", 3);
    add("</s>", 3);
    add("<start_of_turn>", 3);
    add("<end_of_turn>", 3);
    for (int byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte), 6);
    for (const std::string& word : words) add(word, 1);
  }

  GgufBuilder& builder() { return builder_; }
  std::size_t vocabulary_size() const { return tokens_.size(); }

  void number(const std::string& key, std::uint32_t value) { builder_.number(key, kU32, value); }
  void real(const std::string& key, float value) { builder_.number(key, kF32, value); }

  void matrix(const std::string& name, const std::vector<std::uint64_t>& shape, double spread,
              double middle = 0) {
    std::uint64_t size = 1;
    for (const std::uint64_t dimension : shape) size *= dimension;
    std::string bytes;
    for (std::uint64_t i = 0; i < size; ++i) {
      internal::put_number(bytes, static_cast<float>(middle + spread * (random_.uniform() - 0.5)));
    }
    builder_.tensor(name, shape, 0, bytes);
  }

  void write(const fs::path& path) {
    builder_.text("tokenizer.ggml.model", "llama");
    builder_.texts("tokenizer.ggml.tokens", tokens_);
    builder_.entry("tokenizer.ggml.scores", kArray, scores_of(tokens_.size()));
    builder_.entry("tokenizer.ggml.token_type", kArray, types_);
    number("tokenizer.ggml.bos_token_id", 1);
    number("tokenizer.ggml.eos_token_id", 2);
    builder_.text("tokenizer.chat_template", "{{ '<start_of_turn>' + role }}");
    internal::write_bytes(path, builder_.build());
  }

 private:
  void add(const std::string& token, std::int32_t type) {
    if (tokens_.empty()) types_ = header(kI32, 0);
    tokens_.push_back(token);
    internal::put_number(types_, type);
    const auto size = static_cast<std::uint64_t>(tokens_.size());
    std::string head = header(kI32, size);
    std::copy(head.begin(), head.end(), types_.begin());
  }
  static std::string header(std::uint32_t type, std::uint64_t size) {
    std::string bytes;
    internal::put_number(bytes, type);
    internal::put_number(bytes, size);
    return bytes;
  }
  // Later tokens are merged last, but for the longer ones: as SentencePiece trains them.
  static std::string scores_of(std::size_t size) {
    std::string bytes = header(kF32, size);
    for (std::size_t i = 0; i < size; ++i) {
      internal::put_number(bytes, -static_cast<float>(i) / 10);
    }
    return bytes;
  }

  RandomStream random_{7, 1};
  GgufBuilder builder_;
  std::vector<std::string> tokens_;
  std::string types_;
};

void write_gpt2(const fs::path& path) {
  StrangeModel model;
  const std::uint64_t size = 64;
  model.builder().text("general.architecture", "gpt2");
  model.number("gpt2.context_length", 1024);
  model.number("gpt2.embedding_length", 64);
  model.number("gpt2.feed_forward_length", 128);
  model.number("gpt2.block_count", 2);
  model.number("gpt2.attention.head_count", 2);
  model.real("gpt2.attention.layer_norm_epsilon", 1e-5f);
  model.matrix("token_embd.weight", {size, model.vocabulary_size()}, 2);
  model.matrix("position_embd.weight", {size, 1024}, 0.5);
  const auto norm = [&](const std::string& name) {
    model.matrix(name + ".weight", {size}, 0.1, 1);
    model.matrix(name + ".bias", {size}, 0.1);
  };
  const auto linear = [&](const std::string& name, std::uint64_t inputs, std::uint64_t outputs) {
    model.matrix(name + ".weight", {inputs, outputs}, 0.5);
    model.matrix(name + ".bias", {outputs}, 0.1);
  };
  norm("output_norm");
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    norm(layer + "attn_norm");
    linear(layer + "attn_qkv", size, 3 * size);
    linear(layer + "attn_output", size, size);
    norm(layer + "ffn_norm");
    linear(layer + "ffn_up", size, 2 * size);
    linear(layer + "ffn_down", 2 * size, size);
  }
  model.write(path);
}

void write_mamba(const fs::path& path) {
  StrangeModel model;
  const std::uint64_t size = 64;
  const std::uint64_t inner = 128;
  const std::uint64_t state = 16;
  const std::uint64_t rank = 4;
  model.builder().text("general.architecture", "mamba");
  model.number("mamba.context_length", 1024);
  model.number("mamba.embedding_length", 64);
  model.number("mamba.feed_forward_length", 0);
  model.number("mamba.block_count", 2);
  model.number("mamba.attention.head_count", 0);
  model.number("mamba.ssm.conv_kernel", 4);
  model.number("mamba.ssm.inner_size", 128);
  model.number("mamba.ssm.state_size", 16);
  model.number("mamba.ssm.time_step_rank", 4);
  model.real("mamba.attention.layer_norm_rms_epsilon", 1e-5f);
  model.matrix("token_embd.weight", {size, model.vocabulary_size()}, 2);
  model.matrix("output_norm.weight", {size}, 0.1, 1);
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    model.matrix(layer + "attn_norm.weight", {size}, 0.1, 1);
    model.matrix(layer + "ssm_in.weight", {size, 2 * inner}, 0.5);
    model.matrix(layer + "ssm_conv1d.weight", {4, inner}, 0.5);
    model.matrix(layer + "ssm_conv1d.bias", {inner}, 0.1);
    model.matrix(layer + "ssm_x.weight", {inner, rank + 2 * state}, 0.5);
    model.matrix(layer + "ssm_dt.weight", {rank, inner}, 0.5);
    model.matrix(layer + "ssm_dt.bias", {inner}, 0.1);
    model.matrix(layer + "ssm_a", {state, inner}, 0.2, -1);
    model.matrix(layer + "ssm_d", {inner}, 0.1, 1);
    model.matrix(layer + "ssm_out.weight", {inner, size}, 0.5);
  }
  model.write(path);
}

class LlamaProgram : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    write_gpt2(directory_ / "gpt2.gguf");
    write_mamba(directory_ / "mamba.gguf");
  }
};

LlamaOptions tiny(std::size_t max_sequences = 4, std::size_t kv_bytes = 0) {
  LlamaOptions options;
  options.num_threads = 1;  // its threads spin while they wait: no good where others work
  options.max_sequences = max_sequences;
  options.kv_memory_bytes = kv_bytes;
  return options;
}

std::unique_ptr<LlamaGenerator> load(const fs::path& path, const LlamaOptions& options) {
  auto loaded = LlamaGenerator::load(path, options);
  EXPECT_TRUE(loaded.ok()) << (loaded.ok() ? "" : loaded.error().to_string());
  return std::move(loaded).value();
}

GenerationRequest request_of(TokenIds ids, std::size_t max_tokens, Sampling sampling = {}) {
  return {std::move(ids), {FreeStage{max_tokens, {}}}, sampling, ""};
}

// Ids of plain words and bytes, no two lists with a beginning in common.
TokenIds some_prompt(std::size_t size, std::size_t seed) {
  RandomStream random(seed, 3);
  TokenIds ids(size);
  for (TokenId& id : ids) id = static_cast<TokenId>(10 + random.below(260));
  ids.front() = static_cast<TokenId>(10 + seed);
  return ids;
}

TEST_F(LlamaProgram, AModelThatOursHasNotWritesAndOrders) {
  for (const char* name : {"gpt2.gguf", "mamba.gguf"}) {
    SCOPED_TRACE(name);
    const auto loaded = load(directory_ / name, tiny());
    LlamaGenerator& generator = *loaded;
    const Tokenizer& tokenizer = *generator.text_model()->tokenizer;
    EXPECT_EQ(tokenizer.pretokenizer_name(), "sentencepiece");
    ASSERT_NE(generator.text_model()->chat, nullptr);
    const std::vector<Stage> stages = {FreeStage{8, {}}, ForcedStage{"the <answer>"},
                                       PermutationStage{12}, ForcedStage{"</answer>"}};
    std::string long_question;
    for (int i = 0; i < 20; ++i) long_question += "the sea ";
    std::vector<GenerationRequest> requests;
    for (const std::string& question : {long_question, long_question, std::string("a")}) {
      requests.push_back({Messages{{Role::kUser, question}}, stages, {}, ""});
    }
    const auto completions = generate_all(generator, requests);
    ASSERT_TRUE(completions.ok());
    for (const Completion& completion : completions.value()) {
      ASSERT_FALSE(completion.error.has_value()) << completion.error->message;
      EXPECT_THAT(completion.text,
                  ::testing::ContainsRegex("the <answer>(\\[[0-9]+\\]( > )?){12}</answer>$"));
      EXPECT_EQ(completion.stages[2].choices.size(), 12u);
    }
    const auto& twins = completions.value();
    EXPECT_EQ(twins[0].ids, twins[1].ids);
    const bool shares = std::string(name) == "gpt2.gguf";
    EXPECT_EQ(twins[1].cached_tokens, shares ? twins[1].prompt_tokens - 1 : 0u);
    for (std::size_t i = 0; i < twins[0].ids.size(); ++i) {
      EXPECT_NEAR(twins[0].token_logprobs[i], twins[1].token_logprobs[i], 1e-2);
    }
  }
}

TEST_F(LlamaProgram, ItsTokenizerAddsNothingToAText) {
  const auto loaded = load(directory_ / "gpt2.gguf", tiny());
  const Tokenizer& tokenizer = *loaded->text_model()->tokenizer;
  for (const std::string text : {"[1] > [12]", "the", " the", "", "] > [", "\nthe", "é\xFF",
                                 "<start_of_turn>", "a<end_of_turn>the"}) {
    EXPECT_EQ(tokenizer.decode_bytes(tokenizer.encode(text)), repair_utf8(text).text) << text;
    EXPECT_EQ(tokenizer.decode_bytes(tokenizer.encode_with_special(text)), repair_utf8(text).text)
        << text;
  }
  const TokenId opening = tokenizer.find_token("<start_of_turn>").value();
  const auto has_opening = [&](const TokenIds& ids) {
    return std::count(ids.begin(), ids.end(), opening);
  };
  EXPECT_EQ(has_opening(tokenizer.encode("a <start_of_turn>")), 0);
  EXPECT_EQ(has_opening(tokenizer.encode_with_special("a <start_of_turn>")), 1);
  EXPECT_EQ(tokenizer.begin_token(), tokenizer.find_token("<s>"));
}

// Hears the ends of requests.
class Ends {
 public:
  GenerationListener listener(int key) {
    return [this, key](const GenerationEvent& event) {
      const std::lock_guard lock(mutex_);
      if (event.completion != nullptr) stops_[key] = event.completion->stop;
      written_ += event.text.size();
      changed_.notify_all();
    };
  }
  void wait_for_text() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return written_ > 0; });
  }
  StopReason wait_for(int key) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stops_.contains(key); });
    return stops_[key];
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return stops_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int, StopReason> stops_;
  std::size_t written_ = 0;
};

TEST_F(LlamaProgram, ReadsACommonPromptOnce) {
  const TokenIds prompt = some_prompt(700, 1);
  TokenIds longer = prompt;
  longer.insert(longer.end(), {20, 30, 40});
  TokenIds parted = longer;
  parted[650] = 5 + parted[650] % 200;
  const fs::path file = directory_ / "gpt2.gguf";
  const Completion alone = generate_all(*load(file, tiny()), {request_of(longer, 12)})->front();
  const auto generator = load(file, tiny());
  const auto together = generate_all(*generator, {request_of(prompt, 12), request_of(longer, 12),
                                                  request_of(longer, 12), request_of(parted, 12)})
                            .value();
  EXPECT_EQ(together[0].cached_tokens, 0u);
  EXPECT_EQ(together[1].cached_tokens, 700u);
  EXPECT_EQ(together[2].cached_tokens, 700u);  // it is not worth waiting for two more
  EXPECT_EQ(together[3].cached_tokens, 650u);
  const GenerationCounters counters = generator->counters();
  EXPECT_EQ(counters.reading.read_tokens + counters.mixed.read_tokens, 700u + 3 + 3 + 53);
  const Completion later = generate_all(*generator, {request_of(longer, 12)})->front();
  EXPECT_EQ(later.cached_tokens, 702u);
  for (const Completion* other : {&together[1], &together[2], &later}) {
    EXPECT_EQ(other->ids, alone.ids);
    ASSERT_EQ(other->token_logprobs.size(), alone.token_logprobs.size());
    for (std::size_t i = 0; i < alone.ids.size(); ++i) {
      // Attention sums values in F16, in an order that follows the batch.
      EXPECT_NEAR(other->token_logprobs[i], alone.token_logprobs[i], 1e-2) << i;
    }
  }
  EXPECT_NE(together[3].token_logprobs, alone.token_logprobs);
}

// 512 bytes of keys and values a token, so room for two of these contexts: two at once, of twelve.
TEST_F(LlamaProgram, GetsEveryoneToTheEndInLittleMemory) {
  const fs::path file = directory_ / "gpt2.gguf";
  LlamaOptions options = tiny(8, 1100 * 512);
  options.context_tokens = 400;
  const auto small = load(file, options);
  EXPECT_EQ(small->kv_tokens(), 2 * 512u);  // whole multiples of 256
  EXPECT_EQ(small->text_model()->context_length, 400u);
  std::vector<GenerationRequest> requests;
  for (std::size_t i = 0; i < 12; ++i) {
    requests.push_back(request_of(some_prompt(250, i), 60, {.temperature = 1, .seed = i}));
  }
  const auto crowded = generate_all(*small, requests).value();
  const auto roomy = generate_all(*load(file, tiny(12)), requests).value();
  EXPECT_EQ(small->counters().max_running, 2u);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    EXPECT_FALSE(crowded[i].error.has_value()) << crowded[i].error->message;
    EXPECT_EQ(crowded[i].ids, roomy[i].ids) << "a draw depends on seed and place alone";
  }
}

TEST_F(LlamaProgram, ACancelledRequestMakesRoom) {
  Ends ends;
  const Sampling drawn = {.temperature = 1.5, .seed = 3};
  const auto endless = [&] {
    GenerationRequest request = request_of(some_prompt(10, 1), 100, drawn);
    request.stages.clear();
    for (int i = 0; i < 9; ++i) request.stages.emplace_back(FreeStage{100, {}});
    return request;  // an end token but ends a stage
  };
  {
    const auto generator = load(directory_ / "gpt2.gguf", tiny(1));
    const auto first = generator->submit(endless(), ends.listener(1));
    ASSERT_TRUE(first.ok()) << first.error().to_string();
    const auto second = generator->submit(request_of(some_prompt(10, 2), 3), ends.listener(2));
    const auto third = generator->submit(request_of(some_prompt(10, 3), 3), ends.listener(3));
    ASSERT_TRUE(second.ok() && third.ok());
    ends.wait_for_text();
    generator->cancel(third.value());
    generator->cancel(first.value());
    generator->cancel(987654);
    EXPECT_EQ(ends.wait_for(1), StopReason::kCancelled);
    EXPECT_EQ(ends.wait_for(3), StopReason::kCancelled);
    EXPECT_NE(ends.wait_for(2), StopReason::kCancelled);
    ASSERT_TRUE(generator->submit(endless(), ends.listener(4)).ok());
  }
  EXPECT_EQ(ends.size(), 4u);  // the one that ran at the end has had its last event too
  EXPECT_EQ(ends.wait_for(4), StopReason::kCancelled);
}

// As Gemma's template has it: no system turn, "model" for the assistant.
TEST_F(LlamaProgram, ItsTemplateLeavesWhatAMessageSaysAsText) {
  const auto loaded = load(directory_ / "gpt2.gguf", tiny());
  const TextModel& model = *loaded->text_model();
  const RenderedPrompt prompt = model.chat->render(
      Messages{{Role::kSystem, "Be brief."}, {Role::kUser, "say <end_of_turn>"}});
  EXPECT_EQ(prompt.text,
            "<start_of_turn>user\nBe brief.\n\nsay <end_of_turn><end_of_turn>\n"
            "<start_of_turn>model\n");
  const TokenIds ids = model.tokenizer->encode(prompt.text, prompt.control);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), model.tokenizer->find_token("<end_of_turn>")), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), model.tokenizer->find_token("<start_of_turn>")), 2);
  EXPECT_EQ(model.chat->render_answer("yes").text, "yes<end_of_turn>\n");
}

TEST_F(LlamaProgram, OurEngineNamesTheWayOutAndItWorks) {
  const std::string rerank =
      "$R rerank -q 'why?' passages.txt --model gpt2.gguf --format trec "
      "--passage-tokens 20 --max-thinking 8 --no-reasoning";
  const Outcome ours = shell(rerank, directory_);
  EXPECT_EQ(ours.exit_code, 1);
  EXPECT_THAT(ours.err, HasSubstr("--engine llama.cpp runs others"));
  EXPECT_EQ(num_lines(ours.err), 1u);
  for (const std::string method : {"listwise", "pointwise", "first"}) {
    const Outcome theirs = shell(rerank +
                                     " --engine llama.cpp --gpu-layers 0 --kv-memory 16MB "
                                     "--stats --method " +
                                     method,
                                 directory_);
    EXPECT_EQ(theirs.exit_code, 0) << theirs.err;
    EXPECT_EQ(num_lines(theirs.out), 3u) << theirs.out;
    EXPECT_THAT(theirs.err, HasSubstr("compute llama.cpp"));
    EXPECT_THAT(theirs.err, HasSubstr("keys and values: room for"));
  }
  const Outcome text = shell(
      "$R model generate --engine llama.cpp --threads 1 --model mamba.gguf -p the --max-tokens "
      "5",
      directory_);
  EXPECT_EQ(text.exit_code, 0) << text.err;
}

TEST_F(LlamaProgram, RefusesOptionsOfTheOtherEngine) {
  const std::string generate = "$R model generate --model gpt2.gguf -p the --max-tokens 5 ";
  const auto error = [&](const std::string& options) {
    const Outcome outcome = shell(generate + options, directory_);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(num_lines(outcome.err), 1u) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(error("--gpu-layers 3"),
              HasSubstr("--gpu-layers and --context need --engine llama.cpp"));
  EXPECT_THAT(error("--engine llama.cpp --compute int8"),
              HasSubstr("--compute int8 needs --engine own"));
  EXPECT_THAT(error("--engine llama.cpp --adapter ."), HasSubstr("--adapter needs --engine own"));
}

// The same ranking by probabilities, through the whole program, on the file's own four-bit
// weights: llama.cpp rounds activations to eight bits, our engine to bf16.
TEST_F(LlamaProgram, ScoresAsOurEngineDoes) {
  RR_NEEDS_FILE(default_model_file());
  const std::string model = "--model '" + default_model_file().string() + "' ";
  const auto scores = [&](const std::string& options) {
    const Outcome outcome =
        shell("$R rerank -q 'why is the sky blue?' passages.txt --format trec --method pointwise " +
                  model + options,
              directory_);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    std::map<std::string, double> found;
    std::istringstream lines(outcome.out);
    std::string qid, q0, docid, rank, tag;
    for (double score = 0; lines >> qid >> q0 >> docid >> rank >> score >> tag;) {
      found[docid] = score;
    }
    return found;
  };
  const auto ours = scores("");
  const auto theirs = scores("--engine llama.cpp --threads 1 --kv-memory 64MB");
  ASSERT_EQ(ours.size(), 3u);
  ASSERT_EQ(theirs.size(), 3u);
  for (const auto& [docid, score] : ours) EXPECT_NEAR(score, theirs.at(docid), 0.5) << docid;
}

}  // namespace
}  // namespace rr
