// Runs the kernels without Python, for sanitizers and other processors: every case of cases.h on every instruction set
// that this machine has. Each line that begins with FAILED names a check; the last line counts.
//
//   driver [--every N]   every N-th case; 2 unless given, which takes half a minute
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "decode_cases.h"
#include "noise.h"
#include "vocabulary_cases.h"
#include "word_cases.h"

namespace peephole::tests {
namespace {

// --- gradients ---

const Numbers* find(const Results& results, const std::string& name) {
  for (const Named& one : results) {
    if (one.name == name) return &one.values;
  }
  return nullptr;
}

// The derivative of the loss along random directions, ±1 in every number of a tensor, and along a single number.
class Gradients {
 public:
  Gradients(const Case& c, Call<double>& call, const Kernels& kernels, const Results& results)
      : case_(c), call_(call), kernels_(kernels), results_(results), engine_(c.number) {
    // A kink must not lie between the two points; what is nearly linear can do with less distance.
    distance_ = c.variant.cell.nonlinearity == Nonlinearity::relu ? 1e-7 : 1e-5;
  }

  void check_all() {
    check_one("dx", call_.x);
    check_one("dtable", call_.table);
    for (int k = 0; k < MAX_STATES; k++) check_one("dstate " + std::to_string(k), call_.states[k]);
    for (int k = 0; k < WEIGHTS; k++) check_one("dweight " + std::to_string(k), call_.weights[k]);
  }

 private:
  const Case& case_;
  Call<double>& call_;
  const Kernels& kernels_;
  const Results& results_;
  std::mt19937 engine_;
  double distance_;

  void check_one(const std::string& name, Numbers& point) {
    const Numbers* gradient = find(results_, name);
    if (point.empty() || !gradient) return;
    Numbers direction(point.size());
    for (double& one : direction) one = engine_() & 1 ? 1 : -1;
    check_along(name, point, *gradient, direction, norm(*gradient));
    direction.assign(point.size(), 0);
    direction[engine_() % point.size()] = 1;
    check_along(name + ", one number", point, *gradient, direction, largest(*gradient));
  }

  void check_along(const std::string& name, Numbers& point, const Numbers& gradient, const Numbers& direction,
                   double scale) {
    const Numbers before = point;
    double expected = 0;
    for (size_t i = 0; i < point.size(); i++) expected += gradient[i] * direction[i];
    double losses[4];
    const double distance[4] = {distance_, -distance_, 2 * distance_, -2 * distance_};
    for (int side = 0; side < 4; side++) {
      for (size_t i = 0; i < point.size(); i++) point[i] = before[i] + distance[side] * direction[i];
      call_.forward(kernels_);
      losses[side] = call_.loss();
    }
    std::copy(before.begin(), before.end(), point.begin());
    const double near = (losses[0] - losses[1]) / (2 * distance_), far = (losses[2] - losses[3]) / (4 * distance_);
    const double error = std::abs((4 * near - far) / 3 - expected);
    check(error <= 1e-6 * std::max(scale, 1e-2),
          case_.name() + ", " + kernels_.name + ": " + name + " is off by " + std::to_string(error / scale));
  }
};

// --- one case on one instruction set ---

// Rounding (6e-8) times what a few dozen steps and layer norm make of it.
constexpr double FLOAT_TOLERANCE = 1e-4;
// Operands and outputs are rounded by up to 4e-3, which turns a relu here and there: this finds what is wrong, not what
// is inexact.
constexpr double HALF_TOLERANCE = 0.3;

template <class External>
Results run_soiled(const Case& c, Call<External>& call, const Kernels& kernels, bool chosen,
                   const std::string& what) {
  soil_workspace();
  Results results = call.run(kernels);
  check(filled(results), what + ": not every number is written, or one is not finite");
  // On a busy machine each step of a team costs a time slice, so that not every call can have one.
  if (chosen && c.number % 3 == unsigned(call.layer.precision)) {
    const int threads = 2 + c.number / 12 % 2;
    check(same_bits(call.run(kernels, threads), results),
          what + ": other bits with " + std::to_string(threads) + " threads");
  }
  return results;
}

void run_case(const Case& c, const Kernels& kernels, bool chosen, Results& elsewhere) {
  const Drawn drawn(c);
  const std::string what = c.name() + ", " + kernels.name;
  Call<double> exact(c, drawn);
  const Results want = run_soiled(c, exact, kernels, chosen, what + ", double");
  if (chosen) Gradients(c, exact, kernels, want).check_all();
  // Between instruction sets only the order of sums and fused steps differ.
  if (elsewhere.empty()) elsewhere = want;
  compare(want, elsewhere, 1e-10, 1e-2, what + ", double against the first instruction set");

  Call<float> single(c, drawn);
  const Results close = run_soiled(c, single, kernels, chosen, what + ", float");
  compare(close, want, FLOAT_TOLERANCE, 1e-1, what + ", float against double");
  Call<BFloat16> half(c, drawn);
  const Results near = run_soiled(c, half, kernels, chosen, what + ", bfloat16");
  compare(near, want, HALF_TOLERANCE, 1, what + ", bfloat16 against double");
}

// --- random words ---

struct Counter {
  uint32_t words[4];
};

// One block, as Salmon et al. 2011 write it.
Counter philox_plain(Counter c, uint32_t key, uint32_t other_key) {
  for (int round = 0; round < 10; round++) {
    const uint64_t a = uint64_t(0xD2511F53u) * c.words[0], b = uint64_t(0xCD9E8D57u) * c.words[2];
    c = {{uint32_t(b >> 32) ^ c.words[1] ^ key, uint32_t(b), uint32_t(a >> 32) ^ c.words[3] ^ other_key, uint32_t(a)}};
    key += 0x9E3779B9u;
    other_key += 0xBB67AE85u;
  }
  return c;
}

// Known answers of Random123 (kat_vectors, philox4x32 with 10 rounds).
void check_known_answers() {
  struct Known {
    Counter counter;
    uint32_t key[2];
    Counter answer;
  };
  const Known known[] = {
      {{{0, 0, 0, 0}}, {0, 0}, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
      {{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
       {0xffffffff, 0xffffffff},
       {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
      {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
       {0xa4093822, 0x299f31d0},
       {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}}};
  for (const Known& one : known) {
    const Counter plain = philox_plain(one.counter, one.key[0], one.key[1]);
    check(!std::memcmp(&plain, &one.answer, sizeof plain), "a known answer of Philox, written plainly");
    const Stream stream{uint64_t(one.key[1]) << 32 | one.key[0], one.counter.words[3], 0, 0, 0};
    uint32_t words[4][PEEPHOLE_ISA::PHILOX_TOGETHER];
    PEEPHOLE_ISA::philox(stream, one.counter.words[0], one.counter.words[1], one.counter.words[2], words);
    bool good = true;
    for (int i = 0; i < 4; i++) good = good && words[i][0] == one.answer.words[i];
    check(good, "a known answer of Philox, in vectors");
  }
}

uint32_t plain_word(const Stream& stream, long step, long row, long unit) {
  const Counter counter{{uint32_t(unit / 4), uint32_t(step), uint32_t(row), stream.purpose}};
  return philox_plain(counter, uint32_t(stream.seed), uint32_t(stream.seed >> 32)).words[unit % 4];
}

template <class Real>
bool chosen_well(const Kernels& kernels, const Stream& stream, const std::vector<int64_t>& want, uint64_t limit,
                 int threads) {
  std::vector<Real> got(want.size(), Real(-1));
  kernels.choose(stream, limit, 1.25, 0, got.data(), sizeof(Real) == 8, threads);
  for (size_t i = 0; i < want.size(); i++) {
    if (got[i] != (uint64_t(want[i]) < limit ? Real(1.25) : Real(0))) return false;
  }
  return true;
}

void check_words(const Kernels& kernels) {
  const long sizes[][3] = {{1, 1, 1}, {2, 3, 7}, {1, 5, 33}, {3, 1, 128}, {2, 2, 129}, {19, 5, 401}};
  for (const auto& size : sizes) {
    for (uint64_t seed : {uint64_t(0), uint64_t(0x0123456789abcdef), ~uint64_t(0)}) {
      const Stream stream{seed, 3u << 24 | 1, size[0], size[1], size[2]};
      std::vector<int64_t> want;
      for (long step = 0; step < stream.steps; step++) {
        for (long row = 0; row < stream.rows; row++) {
          for (long unit = 0; unit < stream.units; unit++) want.push_back(plain_word(stream, step, row, unit));
        }
      }
      for (int threads : {1, 3}) {
        const std::string what = "random words, " + (kernels.name + (", " + std::to_string(threads))) + " threads";
        std::vector<int64_t> got(want.size(), -1);
        kernels.words(stream, got.data(), threads);
        check(got == want, what);
        for (uint64_t limit : {uint64_t(0), uint64_t(1) << 30, uint64_t(1) << 32}) {
          check(chosen_well<float>(kernels, stream, want, limit, threads), what + ", chosen as float");
          check(chosen_well<double>(kernels, stream, want, limit, threads), what + ", chosen as double");
        }
      }
    }
  }
}

// --- calls from several threads at once ---

void check_concurrent(const std::vector<Case>& cases, const Kernels& kernels) {
  constexpr int CALLERS = 4, MOST_THREADS = 3;
  for (size_t i = 0; i + CALLERS <= cases.size(); i += CALLERS) {
    bool same[CALLERS] = {};
    std::vector<std::thread> callers;
    for (int k = 0; k < CALLERS; k++) {
      callers.emplace_back([&, k] {
        const Case& c = cases[i + k];
        const Drawn drawn(c);
        Call<float> call(c, drawn);
        const Results alone = call.run(kernels);
        same[k] = true;
        for (int threads = 1; threads <= MOST_THREADS; threads++) {
          same[k] = same[k] && same_bits(call.run(kernels, threads), alone);
        }
      });
    }
    for (auto& caller : callers) caller.join();
    for (int k = 0; k < CALLERS; k++) {
      const Case& c = cases[i + k];
      const Drawn drawn(c);
      Call<float> call(c, drawn);
      const Results alone = call.run(kernels);
      check(same[k] && filled(alone), c.name() + ", " + kernels.name + ": other bits beside other calls");
    }
  }
}

int run(unsigned every) {
  std::vector<Case> cases;
  for (const Case& c : all_cases()) {
    if (c.number % every == 0) cases.push_back(c);
  }
  check_known_answers();
  check_vocabulary();
  for (const Kernels* kernels : supported_kernels()) check_words(*kernels);
  for (const Case& c : cases) {
    Results elsewhere;
    const auto& sets = supported_kernels();
    for (size_t i = 0; i < sets.size(); i++) {  // differences and teams on one of them: the others are compared with it
      run_case(c, *sets[i], c.number % sets.size() == i, elsewhere);
    }
  }
  std::vector<Case> some;
  for (size_t i = 0; i < cases.size(); i += std::max<size_t>(1, cases.size() / 20)) some.push_back(cases[i]);
  for (const Kernels* kernels : supported_kernels()) check_concurrent(some, *kernels);
  check_decoding(cases);
  check_learning_of_words();
  std::printf("%ld passed, %ld failed\n", passed, failed);
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace peephole::tests

int main(int count, char** words) {
  int every = 2;
  if (count == 3 && std::string(words[1]) == "--every") {
    every = std::atoi(words[2]);
  } else if (count != 1) {
    every = 0;
  }
  if (every < 1) {
    std::fprintf(stderr, "usage: driver [--every N]\n");
    return 2;
  }
  return peephole::tests::run(every);
}
