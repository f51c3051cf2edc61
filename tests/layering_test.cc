#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

// Holds every include of the tree against what the rooms may use.

namespace rr {
namespace {

namespace fs = std::filesystem;

using Rooms = std::map<std::string, std::set<std::string>>;  // room -> rooms that it may include

// What rr_room() was told, as CMake wrote it down: "measures: base;ir".
Rooms rooms_of_the_build() {
  Rooms rooms;
  std::ifstream file(std::string(RR_BINARY_DIR) + "/rooms.txt");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    std::set<std::string>& uses = rooms[line.substr(0, colon)];
    std::istringstream list(line.substr(colon + 2));
    for (std::string used; std::getline(list, used, ';');) uses.insert(used);
  }
  return rooms;
}

// The rows "| `measures` | base ir |" of the table in ARCHITECTURE.md.
Rooms rooms_of_the_architecture() {
  Rooms rooms;
  std::ifstream file(std::string(RR_SOURCE_DIR) + "/ARCHITECTURE.md");
  const std::regex row(R"(\| `(\w+)` \| ([a-z_ ]*|–) \|.*)");
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, row)) continue;
    std::istringstream list(match[2] == "–" ? std::string() : match[2].str());
    std::set<std::string>& uses = rooms[match[1]];
    for (std::string used; list >> used;) uses.insert(used);
  }
  return rooms;
}

struct Include {
  fs::path file;  // relative to the source tree
  int line;
  std::string target;  // "rr/base/result.h"
};

std::vector<Include> includes_below(const std::string& folder) {
  std::vector<Include> includes;
  const std::regex quoted(R"re(\s*#\s*include\s*"([^"]+)".*)re");
  const fs::path root(RR_SOURCE_DIR);
  for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cc") continue;
    std::ifstream file(entry.path());
    std::string text;
    for (int line = 1; std::getline(file, text); ++line) {
      std::smatch match;
      if (!std::regex_match(text, match, quoted)) continue;
      includes.push_back({fs::relative(entry.path(), root), line, match[1]});
    }
  }
  return includes;
}

std::string part(const fs::path& path, int index) {
  return std::next(path.begin(), index)->string();
}

// What a room's tests may use of this folder.
const std::set<std::string> kForTests = {"tests/shared_data.h", "tests/test_folder.h"};

TEST(Layering, RoomsIncludeOnlyWhatTheyAreToldTo) {
  const Rooms rooms = rooms_of_the_build();
  const std::vector<Include> includes = includes_below("rr");
  ASSERT_GE(rooms.size(), 8u);
  ASSERT_GE(includes.size(), 100u);
  for (const Include& include : includes) {
    const std::string place = include.file.string() + ":" + std::to_string(include.line);
    if (kForTests.contains(include.target)) {
      EXPECT_THAT(include.file.string(), ::testing::HasSubstr("test")) << place;
      continue;
    }
    ASSERT_TRUE(include.target.starts_with("rr/")) << place << " includes " << include.target;
    const std::string room = part(include.file, 1);
    const std::string used = part(include.target, 1);
    ASSERT_TRUE(rooms.contains(room)) << place << ": no rr_room() of this name";
    EXPECT_TRUE(used == room || rooms.at(room).contains(used))
        << place << ": " << room << " may not include " << include.target;
    EXPECT_TRUE(used == room || include.target.find("/internal/") == std::string::npos)
        << place << ": a private header of another room";
  }
}

TEST(Layering, NobodyIncludesTheApps) {
  for (const std::string folder : {"rr", "tests", "bench", "fuzz"}) {
    for (const Include& include : includes_below(folder)) {
      EXPECT_FALSE(include.target.starts_with("apps/")) << include.file << ":" << include.line;
    }
  }
}

TEST(Layering, TheArchitectureSaysWhatTheBuildDoes) {
  EXPECT_EQ(rooms_of_the_architecture(), rooms_of_the_build());
}

TEST(Layering, EveryHeaderOfARoomIsDeclared) {
  // A public header that no rr_room() names would be compiled alone by nobody.
  for (const auto& [room, uses] : rooms_of_the_build()) {
    const fs::path folder = fs::path(RR_SOURCE_DIR) / "rr" / room;
    std::ifstream file(folder / "CMakeLists.txt");
    std::stringstream text;
    text << file.rdbuf();
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() != ".h") continue;
      EXPECT_NE(text.str().find(entry.path().filename().string()), std::string::npos)
          << entry.path();
    }
  }
}

}  // namespace
}  // namespace rr
