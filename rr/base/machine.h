#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace rr {

// Bytes that this process can still take without swapping or being killed: the least of what the
// system says is available, what the control groups around the process leave (version 1 and 2; file
// pages that can be dropped do not count as taken), and what its address-space limit leaves.
// Nothing readable: the largest size.
std::size_t free_memory();

// The processors of this process's affinity mask, rising. None where the system does not say.
std::vector<std::size_t> allowed_cores();

// The machine's name in its network.
std::string machine_name();

// Processors this process may run on: its affinity mask, cut to the control group's quota (rounded
// up). At least 1.
std::size_t usable_cores();

// A size for people: "512 B", "1.5 MiB", "12.0 GiB".
std::string bytes_for_people(std::size_t bytes);

}  // namespace rr
