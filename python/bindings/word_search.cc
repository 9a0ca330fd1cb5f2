#include "python/bindings/word_search.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "arena/directory.h"

namespace py = pybind11;

namespace frozen_arena {
namespace {

using Word = std::uint64_t;

struct Range {
  Word begin;
  Word end;
};

Word WordOf(std::string_view bytes, std::size_t index) noexcept {
  Word word;
  std::memcpy(&word, bytes.data() + index * sizeof word, sizeof word);
  return word;
}

std::vector<Range> RangesOf(std::string_view bytes) {
  std::vector<Range> ranges(bytes.size() / sizeof(Range));
  std::memcpy(ranges.data(), bytes.data(), ranges.size() * sizeof(Range));
  return ranges;
}

bool Covers(const std::vector<Range>& ranges, Word word) noexcept {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), word,
                       [](Word value, const Range& range) { return value < range.begin; });
  return after != ranges.begin() && word < (after - 1)->end;
}

py::bytes AsBytes(const std::vector<Word>& words) {
  return py::bytes(reinterpret_cast<const char*>(words.data()), words.size() * sizeof(Word));
}

// Numbers of the words in which two pieces of memory of one size differ.
py::bytes DifferingWords(const py::bytes& now, const py::bytes& before) {
  const auto a = static_cast<std::string_view>(now);
  const auto b = static_cast<std::string_view>(before);
  const std::size_t count = std::min(a.size(), b.size()) / sizeof(Word);
  std::vector<Word> differing;
  for (std::size_t i = 0; i < count; ++i) {
    if (WordOf(a, i) != WordOf(b, i)) differing.push_back(i);
  }
  return AsBytes(differing);
}

// (number of the word, its value) for each word of `memory` that lies in one of `ranges`, which are
// pairs of begin and end, ascending.
py::bytes WordsInto(const py::bytes& memory, const py::bytes& ranges) {
  const auto bytes = static_cast<std::string_view>(memory);
  const std::vector<Range> wanted = RangesOf(static_cast<std::string_view>(ranges));
  if (wanted.empty()) return {};
  std::vector<Word> found;
  {
    const py::gil_scoped_release no_python;
    const Word lowest = wanted.front().begin;
    const Word span = wanted.back().end - lowest;
    const std::size_t count = bytes.size() / sizeof(Word);
    for (std::size_t i = 0; i < count; ++i) {
      const Word word = WordOf(bytes, i);
      if (word - lowest >= span || !Covers(wanted, word)) continue;
      found.push_back(i);
      found.push_back(word);
    }
  }
  return AsBytes(found);
}

}  // namespace

void BindWordSearch(py::module_& module) {
  module.def("directory", &AddressOfDirectory);
  module.def("differing_words", &DifferingWords, py::arg("now"), py::arg("before"));
  module.def("words_into", &WordsInto, py::arg("memory"), py::arg("ranges"));
}

}  // namespace frozen_arena
