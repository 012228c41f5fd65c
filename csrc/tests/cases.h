// What the driver runs: every cell variant, sizes that fill no vector, and what a call may be given besides.
#pragma once

#include <string>
#include <vector>

#include "layer.h"

namespace peephole::tests {

struct Variant {
  std::string name;
  Switches cell;
  bool projected = false, bias = true;
};

inline Switches plain(Family family) {
  Switches cell{};
  cell.family = family;
  cell.input_gate = cell.forget_gate = cell.output_gate = true;
  cell.input_activation = cell.output_activation = true;
  cell.taps = 1;
  return cell;
}

inline std::vector<Variant> rnns() {
  std::vector<Variant> all;
  auto add = [&](const std::string& name, auto&& change, bool bias = true) {
    Variant made{"rnn " + name, plain(Family::rnn), false, bias};
    change(made.cell);
    all.push_back(made);
  };
  const char* names[] = {"tanh", "relu", "sigmoid", "identity", "softmax"};
  for (int i = 0; i < 5; i++) {
    for (bool norm : {false, true}) {
      add(names[i] + std::string(norm ? ", layer norm" : ""), [&](Switches& c) {
        c.nonlinearity = Nonlinearity(i);
        c.layer_norm = norm;
      });
    }
  }
  for (int taps : {2, 3, MAX_STATES}) add(std::to_string(taps) + " taps", [&](Switches& c) { c.taps = taps; });
  add("residual input", [](Switches& c) { c.residual = Residual::input; });
  add("residual full", [](Switches& c) { c.residual = Residual::full; });
  add("residual full, 2 taps, layer norm", [](Switches& c) {
    c.residual = Residual::full;
    c.taps = 2;
    c.layer_norm = true;
  });
  add("residual input, softmax, layer norm", [](Switches& c) {
    c.residual = Residual::input;
    c.nonlinearity = Nonlinearity::softmax;
    c.layer_norm = true;
  });
  add("without bias", [](Switches&) {}, false);
  add("layer norm without bias", [](Switches& c) { c.layer_norm = true; }, false);
  return all;
}

inline std::vector<Variant> lstms() {
  std::vector<Variant> all;
  auto add = [&](const std::string& name, bool projected, auto&& change, bool bias = true) {
    Variant made{"lstm " + name, plain(Family::lstm), projected, bias};
    change(made.cell);
    all.push_back(made);
  };
  struct Seen {
    const char* name;
    Peephole peephole;
    bool candidate;
  };
  const Seen peepholes[] = {{"no peephole", Peephole::none, false},
                            {"diagonal", Peephole::diagonal, false},
                            {"diagonal and candidate", Peephole::diagonal, true},
                            {"full", Peephole::full, false},
                            {"full and candidate", Peephole::full, true}};
  for (const Seen& seen : peepholes) {
    auto base = [&](Switches& c) {
      c.peephole = seen.peephole;
      c.candidate_peephole = seen.candidate;
    };
    const std::string name = seen.name;
    for (bool norm : {false, true}) {
      for (bool projected : {false, true}) {
        add(name + (norm ? ", layer norm" : "") + (projected ? ", projected" : ""), projected, [&](Switches& c) {
          base(c);
          c.layer_norm = norm;
        });
      }
    }
    for (bool norm : {false, true}) {
      add(name + ", coupled, fed back" + (norm ? ", layer norm" : ""), norm, [&](Switches& c) {
        base(c);
        c.coupled = c.gate_recurrence = true;
        c.layer_norm = norm;
      });
    }
    add(name + ", fed back", false, [&](Switches& c) {
      base(c);
      c.gate_recurrence = true;
    });
    for (int missing = 1; missing < 8; missing++) {  // of i, f, o
      if (missing == 7 && seen.peephole != Peephole::none && !seen.candidate) continue;
      std::string lacks;
      for (int i = 0; i < 3; i++) lacks += missing >> i & 1 ? std::string(1, "ifo"[i]) : "";
      add(name + ", without " + lacks, missing % 2, [&](Switches& c) {
        base(c);
        c.input_gate = !(missing & 1);
        c.forget_gate = !(missing & 2);
        c.output_gate = !(missing & 4);
        c.layer_norm = missing % 3 == 1;
        c.gate_recurrence = missing == 2 || missing == 5;
      });
    }
  }
  for (int missing = 1; missing < 4; missing++) {
    add("activations removed: " + std::to_string(missing), false, [&](Switches& c) {
      c.input_activation = !(missing & 1);
      c.output_activation = !(missing & 2);
    });
  }
  add("coupled", false, [](Switches& c) { c.coupled = true; });
  add("without bias", false, [](Switches&) {}, false);
  add("projected, fed back, layer norm, without bias", true, [](Switches& c) {
    c.gate_recurrence = true;
    c.layer_norm = true;
  }, false);
  return all;
}

inline std::vector<Variant> grus() {
  std::vector<Variant> all;
  const char* names[] = {"after", "before", "none"};
  for (int reset = 0; reset < 3; reset++) {
    for (bool writes : {false, true}) {
      for (bool norm : {false, true}) {
        const std::string name = std::string("gru reset ") + names[reset];
        Variant made{name + (writes ? ", writes" : "") + (norm ? ", layer norm" : ""), plain(Family::gru)};
        made.cell.reset = Reset(reset);
        made.cell.update_writes = writes;
        made.cell.layer_norm = norm;
        made.bias = !(writes && norm);
        all.push_back(made);
      }
    }
  }
  return all;
}

struct Sizes {
  long hidden, input, batch, steps;
};

inline std::vector<Sizes> all_sizes() {
  std::vector<Sizes> all;
  const long inputs[] = {1, 3, 10, 20};
  for (long hidden : {1, 7, 17, 33}) {
    for (long batch : {1, 3, 5}) {
      for (long steps : {1, 2, 19}) all.push_back({hidden, inputs[(all.size() + all.size() / 4) % 4], batch, steps});
    }
  }
  // Several chunks of either walk; rows enough to be split among threads; products in several passes. With these their
  // number is prime: whoever runs every N-th case meets each of them.
  for (const Sizes& more : {Sizes{17, 5, 5, 80}, Sizes{7, 3, 130, 4}, Sizes{33, 4, 13, 2}, Sizes{9, 21, 8, 19},
                            Sizes{7, 1100, 3, 2}, Sizes{5, 2, 13, 3}, Sizes{65, 2, 3, 3}}) {
    all.push_back(more);
  }
  return all;
}

enum class Zoneout { none, drawn, share, by_unit };

struct Options {
  bool reverse, lengths, resets, mask, symbols;
  Zoneout zoneout;
};

struct Case {
  Variant variant;
  Sizes sizes;
  Options options;
  unsigned number;

  std::string name() const {
    const Options& o = options;
    const char* zoneouts[] = {"", ", zoneout", ", zoneout by share", ", zoneout by unit"};
    return variant.name + " H" + std::to_string(sizes.hidden) + " I" + std::to_string(sizes.input) + " B" +
           std::to_string(sizes.batch) + " T" + std::to_string(sizes.steps) + (o.reverse ? ", reverse" : "") +
           (o.lengths ? ", lengths" : "") + (o.resets ? ", resets" : "") + (o.mask ? ", mask" : "") +
           (o.symbols ? ", symbols" : "") + zoneouts[int(o.zoneout)];
  }
};

// Each variant at each size, with options that follow from the number of the case.
inline std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (const auto& family : {rnns(), lstms(), grus()}) {
    for (const Variant& variant : family) {
      for (const Sizes& sizes : all_sizes()) {
        const unsigned number = unsigned(all.size());
        unsigned bits = (number + 1) * 2654435761u;  // Knuth's: the upper bits look drawn
        bits = (bits ^ bits >> 15) * 2246822519u >> 16;
        Options options;
        options.reverse = bits & 1;
        options.lengths = bits & 2;
        options.resets = bits & 4;
        options.mask = bits & 8;
        options.zoneout = bits & 16 ? Zoneout(1 + (bits >> 5 & 3) % 3) : Zoneout::none;
        options.symbols = (bits >> 7 & 7) == 0;
        all.push_back({variant, sizes, options, number});
      }
    }
  }
  return all;
}

}  // namespace peephole::tests
