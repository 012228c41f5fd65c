// What Python sees of vocabularies and phrases. Blocks of text are bytes; the interpreter lock is released while they
// are read.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <memory>

#include "embed/phrases.h"

namespace nb = nanobind;

namespace peephole {

using namespace embed;

namespace {

std::string_view view(const nb::bytes& block) { return {block.c_str(), block.size()}; }

template <class T>
using Array = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

// An array that owns its memory, of the numbers that `fill` writes: at most `room`, and it says how many.
template <class T, class Fill>
Array<T> array_of(size_t room, Fill fill) {
  std::unique_ptr<T[]> numbers(new T[std::max<size_t>(room, 1)]);
  const size_t count = fill(numbers.get());
  T* const held = numbers.release();
  return Array<T>(held, {count}, nb::capsule(held, [](void* given) noexcept { delete[] static_cast<T*>(given); }));
}

void count(Vocabulary& vocabulary, const nb::bytes& block) {
  const std::string_view text = view(block);
  nb::gil_scoped_release released;
  vocabulary.count(text);
}

void cut(Vocabulary& vocabulary, int64_t least, int64_t most) {
  nb::gil_scoped_release released;
  vocabulary.cut(least, size_t(std::max<int64_t>(most, 0)));
}

Array<int32_t> encode(Vocabulary& vocabulary, const nb::bytes& block) {
  const std::string_view text = view(block);
  return array_of<int32_t>(Vocabulary::room(text.size()), [&](int32_t* out) {
    nb::gil_scoped_release released;
    return vocabulary.encode(text, out);
  });
}

Array<int64_t> counts(const Vocabulary& vocabulary) {
  const WordTable& table = vocabulary.table();
  return array_of<int64_t>(table.size(), [&](int64_t* out) {
    for (size_t number = 0; number < table.size(); number++) out[number] = table.count(number);
    return table.size();
  });
}

nb::bytes word(const Vocabulary& vocabulary, size_t number) {
  if (number >= vocabulary.table().size()) throw std::out_of_range("no word has this number");
  const std::string_view found = vocabulary.table().word(number);
  return nb::bytes(found.data(), found.size());
}

// A line for each word from `first` to before `last`: the word, a space and its count.
nb::bytes lines(const Vocabulary& vocabulary, size_t first, size_t last) {
  std::string out;
  for (size_t number = first; number < std::min(last, vocabulary.table().size()); number++) {
    out.append(vocabulary.table().word(number)).append(1, ' ');
    out.append(std::to_string(vocabulary.table().count(number))).append(1, '\n');
  }
  return nb::bytes(out.data(), out.size());
}

// Numbers of first and of second words, and counts, of pairs that came more often than the discount.
nb::tuple frequent(const Pairs& pairs) {
  const std::vector<Pairs::Pair> found = pairs.frequent();
  const auto column = [&](auto&& of) {
    return array_of<int64_t>(found.size(), [&](int64_t* out) {
      for (size_t i = 0; i < found.size(); i++) out[i] = of(found[i]);
      return found.size();
    });
  };
  return nb::make_tuple(column([](const Pairs::Pair& pair) { return int64_t(pair.words >> 32); }),
                        column([](const Pairs::Pair& pair) { return int64_t(pair.words & 0xFFFFFFFFu); }),
                        column([](const Pairs::Pair& pair) { return pair.count; }));
}

nb::bytes join(Joiner& joiner, const nb::bytes& block) {
  const std::string_view text = view(block);
  std::string out;
  {
    nb::gil_scoped_release released;
    out.reserve(text.size() + 2 * LONGEST);
    joiner.join(text, out);
  }
  return nb::bytes(out.data(), out.size());
}

}  // namespace

void bind_vocabulary(nb::module_& m) {
  nb::class_<Vocabulary>(m, "Vocabulary")
      .def(nb::init<>())
      .def("count", &count)
      .def("cut", &cut)
      .def("encode", &encode)
      .def("counts", &counts)
      .def("word", &word)
      .def("lines", &lines)
      .def_prop_ro("size", [](const Vocabulary& v) { return v.table().size(); })
      .def_prop_ro("words", &Vocabulary::words)
      .def_prop_ro("too_long", &Vocabulary::too_long);
  nb::class_<Pairs>(m, "Pairs")
      .def(nb::init<const Vocabulary&, double, int64_t, double, size_t, uint64_t, uint64_t>(), nb::keep_alive<1, 2>())
      .def("count",
           [](Pairs& pairs, const nb::bytes& block) {
             const std::string_view text = view(block);
             nb::gil_scoped_release released;
             pairs.count(text);
           })
      .def("frequent", &frequent)
      .def_prop_ro("parts", &Pairs::parts);
  nb::class_<Joiner>(m, "Joiner")
      .def(nb::init<>())
      .def("add",
           [](Joiner& joiner, const nb::bytes& first, const nb::bytes& second) {
             joiner.add(view(first), view(second));
           })
      .def("join", &join);
}

}  // namespace peephole
