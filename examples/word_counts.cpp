// Counts lines, words and bytes of all files below a folder, and its commonest words: a pipeline.
//
//   walk -> read and count (several at once) -> add up, in the order of the names
//
//   word_counts folder [workers]
//
// The output is the same at any number of workers. A file that cannot be read is reported; the rest
// is counted all the same, and the exit status is 1.
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <vector>

#include "runtime/go.h"

namespace rt = gotorch::runtime;
namespace fs = std::filesystem;

using Words = std::map<std::string, int64_t>;

struct Counts {
  std::string path;
  std::string problem;  // empty: there is none
  int64_t lines = 0, words = 0, bytes = 0;
  Words each;
};

constexpr size_t kCommonest = 10;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// A word is a run of letters: of ASCII, or parts of others in UTF-8.
Counts count(const std::string& path) {
  Counts counts;
  counts.path = path;
  try {
    const std::string text = rt::read_file(path);
    counts.bytes = static_cast<int64_t>(text.size());
    std::string word;
    for (const char c : text) {
      if (is_letter(c)) {
        word += lower(c);
        continue;
      }
      counts.lines += c == '\n';
      if (!word.empty()) counts.each[std::exchange(word, {})]++;
    }
    if (!word.empty()) counts.each[word]++;
    for (const auto& [_, n] : counts.each) counts.words += n;
  } catch (const rt::IoError& e) {
    counts.problem = e.what();
  }
  return counts;
}

// Sends the files of a folder in the order of their names, then those of its folders.
void walk(const fs::path& folder, const rt::chan<std::string>& paths) {
  std::vector<fs::path> files, folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.is_symlink()) continue;
    if (entry.is_directory()) folders.push_back(entry.path());
    else if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::sort(folders.begin(), folders.end());
  for (const fs::path& file : files) paths.send(file.string());
  for (const fs::path& below : folders) walk(below, paths);
}

void print_commonest(const Words& words) {
  std::vector<std::pair<std::string, int64_t>> order(words.begin(), words.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (order.size() > kCommonest) order.resize(kCommonest);
  for (const auto& [word, n] : order) std::printf("%8ld %s\n", long(n), word.c_str());
}

// False: some files could not be read.
bool run(const std::string& folder, int workers) {
  rt::scope s;
  const rt::chan<std::string> paths(64);
  rt::fill(s, std::vector{paths}, {}, [&](rt::scope&) { walk(folder, paths); });
  const auto results = rt::stage(s, paths, count, {.workers = workers, .capacity = 64});
  Counts total;
  bool all = true;
  for (const Counts& file : results) {
    if (!file.problem.empty()) {
      std::fprintf(stderr, "word_counts: %s\n", file.problem.c_str());
      all = false;
      continue;
    }
    std::printf("%8ld %8ld %8ld %s\n", long(file.lines), long(file.words), long(file.bytes),
                file.path.c_str());
    total.lines += file.lines;
    total.words += file.words;
    total.bytes += file.bytes;
    for (const auto& [word, n] : file.each) total.each[word] += n;
  }
  s.join();
  std::printf("%8ld %8ld %8ld total\n", long(total.lines), long(total.words), long(total.bytes));
  print_commonest(total.each);
  return all;
}

int main(int argc, char** argv) {
  const int workers = argc == 3 ? std::atoi(argv[2]) : 4;
  if (argc < 2 || argc > 3 || workers < 1) {
    std::puts("usage: word_counts folder [workers]");
    return 2;
  }
  rt::interrupt_on(SIGINT);
  try {
    return run(argv[1], workers) ? 0 : 1;
  } catch (const rt::Interrupted&) {
    return 130;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "word_counts: %s\n", e.what());
    return 1;
  }
}
