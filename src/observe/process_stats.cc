#include "observe/process_stats.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace ebbgate::observe {
namespace {

// The fields of /proc/self/stat that follow the process's name, which may hold spaces: the first
// of them is the third of proc(5).
std::vector<std::string> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream words(line.substr(name_end + 1));
  return {std::istream_iterator<std::string>(words), {}};
}

std::optional<double> boot_time() {
  std::ifstream file("/proc/stat");
  std::string key;
  while (file >> key) {
    if (double seconds = 0; key == "btime" && file >> seconds) return seconds;
    std::getline(file, key);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> count_fds() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return std::nullopt;
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(directory);
  return count - 1;  // the directory itself
}

}  // namespace

ProcessStats read_process_stats() {
  ProcessStats stats;
  const double ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  if (const auto fields = stat_fields(); fields.size() > 21) {
    // proc(5) numbers these 14, 15, 22, 23 and 24; the list starts at 3.
    stats.cpu_seconds = (std::stod(fields[11]) + std::stod(fields[12])) / ticks;
    if (const auto booted = boot_time()) stats.start_time = *booted + std::stod(fields[19]) / ticks;
    stats.virtual_bytes = std::stoull(fields[20]);
    stats.resident_bytes = std::stoull(fields[21]) * static_cast<std::uint64_t>(::getpagesize());
  }
  stats.open_fds = count_fds();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = limit.rlim_cur;
  return stats;
}

}  // namespace ebbgate::observe
