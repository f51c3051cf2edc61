// fuzz_seeds NAME FOLDER: writes the seeds of a fuzz target of a binary format into the folder;
// nothing for other targets, whose seeds are the files of corpus/.

#include <filesystem>
#include <string>
#include <string_view>

#include "rr/weights/internal/file_builder.h"

namespace {

using rr::internal::GgufBuilder;
using rr::internal::put_number;
using rr::internal::safetensors_file;
using rr::internal::write_bytes;

namespace fs = std::filesystem;

// A value of each metadata type, nested arrays included.
GgufBuilder all_metadata() {
  GgufBuilder builder;
  builder.number<std::uint8_t>("u8", 0, 200).number<std::int8_t>("i8", 1, -100);
  builder.number<std::uint16_t>("u16", 2, 60000).number<std::int16_t>("i16", 3, -30000);
  builder.number<std::uint32_t>("u32", 4, 7).number<std::int32_t>("i32", 5, -7);
  builder.number<float>("f32", 6, 0.5F).number<std::uint8_t>("bool", 7, 1);
  builder.text("general.architecture", "llama").texts("tokens", {"a", "b", ""});
  builder.number<std::uint64_t>("u64", 10, 7).number<std::int64_t>("i64", 11, -7);
  builder.number<double>("f64", 12, 1e-9);
  std::string nested;
  put_number<std::uint32_t>(nested, 9);
  put_number<std::uint64_t>(nested, 1);
  put_number<std::uint32_t>(nested, 2);
  put_number<std::uint64_t>(nested, 2);
  builder.entry("nested", 9, nested + "abcd");
  return builder;
}

// One block of each type that is read, by ggml's numbers.
GgufBuilder all_types() {
  struct Type {
    std::uint32_t number;
    std::uint64_t elements;
    std::size_t bytes;
  };
  constexpr Type kTypes[] = {{0, 1, 4},     {1, 1, 2},      {30, 1, 2},     {2, 32, 18},
                             {3, 32, 20},   {6, 32, 22},    {7, 32, 24},    {8, 32, 34},
                             {10, 256, 84}, {11, 256, 110}, {12, 256, 144}, {13, 256, 176},
                             {14, 256, 210}};
  GgufBuilder builder;
  for (const Type& type : kTypes) {
    builder.tensor("t" + std::to_string(type.number), {type.elements, 1}, type.number,
                   std::string(type.bytes, '\x31'));
  }
  return builder;
}

void write_gguf(const fs::path& folder) {
  write_bytes(folder / "empty", GgufBuilder().build());
  write_bytes(folder / "metadata", all_metadata().build());
  write_bytes(folder / "types", all_types().build());
  GgufBuilder aligned;
  aligned.alignment = 64;
  aligned.version = 2;
  aligned.number<std::uint32_t>("general.alignment", 4, 64);
  aligned.number<std::uint16_t>("split.count", 2, 1);
  aligned.tensor("a", {1}, 0, "AAAA").tensor("b", {2, 3}, 0, std::string(24, 'b'));
  write_bytes(folder / "aligned", aligned.build());
  aligned.tensor("c", {4}, 0, "", 0);
  write_bytes(folder / "overlap", aligned.build());
}

void write_safetensors(const fs::path& folder) {
  write_bytes(folder / "empty", safetensors_file("{}", ""));
  write_bytes(folder / "two",
              safetensors_file(R"({"__metadata__":{"format":"pt"},)"
                               R"("b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
                               R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                               "AAAABBBBBBBBBBBB"));
  write_bytes(folder / "other",
              safetensors_file(R"({"i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
                               R"("n":{"dtype":"F16","shape":[0],"data_offsets":[8,8],"x":[{}]}})",
                               "12345678"));
  write_bytes(folder / "index",
              R"({"metadata":{"total_size":8},"weight_map":{"a":"1.safetensors","b":"2"}})");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string_view name = argv[1];
  const fs::path folder = argv[2];
  fs::create_directories(folder);
  if (name == "gguf") write_gguf(folder);
  if (name == "safetensors") write_safetensors(folder);
  return 0;
}
