#pragma once

#include <filesystem>

#include "rr/base/result.h"

namespace rr::internal {

// The folder in which an index is built: "NAME.building" beside the folder NAME that it becomes at
// the end. One process at a time has it; what a killed one left there is removed by the next.
class BuildingFolder {
 public:
  // Fails where somebody else is building, where the folder cannot be made, and where `target`
  // exists and is neither an index nor an empty folder.
  static Result<BuildingFolder> create(const std::filesystem::path& target);

  BuildingFolder(BuildingFolder&& other) noexcept;
  BuildingFolder& operator=(BuildingFolder&& other) noexcept;

  // Without publish() it leaves nothing behind.
  ~BuildingFolder();

  const std::filesystem::path& path() const { return path_; }

  // Puts the folder in the target's place, in one step; an index that stood there is removed after.
  Status publish();

 private:
  BuildingFolder() = default;

  std::filesystem::path target_;
  std::filesystem::path path_;
  int lock_ = -1;      // the folder itself, locked
  int replaced_ = -1;  // the index that publish() took away, locked until it is removed
};

Status make_folder(const std::filesystem::path& path);

// Makes the folder's entries last; the files in it are not synced.
void sync_folder(const std::filesystem::path& path);

}  // namespace rr::internal
