#pragma once

#include <filesystem>
#include <initializer_list>

namespace rr {

// Where `path` is a folder: the first of `names` in it that exists, plain or with ".gz". Otherwise
// `path` itself.
std::filesystem::path file_in_folder(const std::filesystem::path& path,
                                     std::initializer_list<const char*> names);

}  // namespace rr
