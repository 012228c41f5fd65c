// The loop over time: packed weights, blocked operands, threads, lengths, resets, zoneout. It knows no gate.
//
// A cell derives from Sequence and says, for the forward and for the backward, which phases one step has: products, then
// a function of the unit blocks ("point") that follows them. What a phase computes of its own units needs only its own
// units, so that threads meet once after each phase (not at all where they split the batch).
//
// Time runs along the walk: step n of the walk is t = n, or T - 1 - n in the reverse direction; the backward walks from
// T - 1 to 0. A chunk is as many steps as make products of a good size.
#pragma once

#include "moments.h"
#include "team.h"
#include "weights.h"

namespace peephole::PEEPHOLE_ISA {

// An operand of products, a block matrix for every step: ring buffers hold one step a slot, chunk buffers several.
template <class P>
struct Operands {
  typename P::Operand* data = nullptr;
  long slot_size = 0;
  long steps = 1;      // in a slot
  long step_size = 0;  // between the steps of a slot
  int slots = 1;
  long block_stride = 0;

  typename P::Operand* at(long n) const { return data + n / steps % slots * slot_size + n % steps * step_size; }
};

// A product of a phase: rows of `operands` at step n + shift by packed weights, added to `target` (or in its place).
template <class P>
struct Product {
  const Operands<P>* operands;
  int shift;
  std::vector<long> blocks;  // offsets of the blocks of a row of the operand
  Packed<P> weights;
  std::vector<int> columns;  // blocks of the target
  int columns_per_unit;      // column blocks for each block of units
  Blocked<typename P::Real> target;
  bool by_chunk;             // the target has rows for every step of a chunk
  bool fresh;                // the target starts from zero
};

// Parameter gradients from a chunk: rows `left_units` × `left_slots` of dz times the rows of `right`.
template <class P>
struct OuterProduct {
  const Operands<P>* left;
  std::vector<int> left_blocks;
  const Operands<P>* right;
  int right_blocks;
  typename P::Real* sums;  // [left blocks * V][right blocks * V]
  int weight;              // where it goes: its rows, by left block, and columns
  std::vector<long> first_rows;
  std::vector<int> row_lanes;
  long first_column, columns;
};

struct Step {
  long n;            // of the walk
  long t;
  long chunk_row;    // what to add to a row for its place among the rows of a chunk
  const uint8_t* alive;      // [B]: 0 where the row is past its end; null: all alive
  const uint8_t* cut_after;  // [B]: 1 where no state crosses to the next step of the walk; null: none
  int member;                // of the team
  bool first_units;          // whether this member has the first units of its rows
};

template <class P>
class Sequence {
 public:
  using Operand = typename P::Operand;
  using Real = typename P::Real;
  using External = typename P::External;
  using V = Vector<Real>;
  static constexpr int LANE = BLOCK<P>;

  explicit Sequence(const Layer& layer)
      : layer_(layer),
        cell_(layer.cell),
        batch_(layer.batch),
        hidden_(layer.hidden),
        output_(layer.projection ? layer.projection : layer.hidden),
        units_(blocks_of(layer.hidden)),
        output_units_(blocks_of(output_)) {}
  virtual ~Sequence() = default;

  // Runs a layer as the steps of a cell: memory is counted, then handed out, then the team walks.
  template <class Cell>
  static void run(const Layer& layer) {
    const Turn turn(layer.threads);
    Allocator room;
    {
      Cell counted(layer);
      counted.plan(room);
    }
    Workspace workspace(room.bytes());
    room.serve_from(workspace);
    Cell cell(layer);
    const auto phases = cell.plan(room);
    cell.fill_common();
    with_team(turn.threads(), [&](int member, Barrier& barrier, int members) {
      const DenormalsAreZero here;
      cell.walk(cell, phases, cell.share_of(member, members), barrier);
    });
  }

  // Numbers that the forward saves for the backward.
  long saved_size() const { return layer_.steps * saved_step_size(); }

 protected:
  static int blocks_of(long size) { return peephole::PEEPHOLE_ISA::blocks_of<P>(size); }
  static int lanes_of(long size, int block) { return peephole::PEEPHOLE_ISA::lanes_of<P>(size, block); }

  // --- what a cell declares ---

  template <class Cell>
  struct Phase {
    void (Cell::*point)(const Step&, int block, long first, long last) = nullptr;
    std::vector<Product<P>> products;
    bool output_units = false;  // blocks of the projection rather than of the hidden units
    void (Cell::*before)(const Step&, long first, long last) = nullptr;
  };

  struct State {
    long size;
    int blocks;
    Real* value = nullptr;         // [blocks][B][V]
    bool masked = false;           // the recurrent mask weighs its operand
    bool is_operand = false;       // products read it
    Operands<P> entering;          // what they read; two slots
    Real* direct = nullptr;        // backward: gradient that comes through no product, [blocks][B][V]
    Real* through_product = nullptr;
  };

  const Layer& layer_;
  const Switches& cell_;
  const long batch_, hidden_, output_;
  const int units_, output_units_;
  std::vector<State> states_;
  int slots_ = 0;                   // pre-activations of a unit block in z_
  std::vector<int> input_slots_;    // those that W_ih feeds, in the order of its gates
  std::vector<int> gate_of_input_;  // the gate (rows of W_ih) of each
  std::vector<std::pair<int, int>> only_bias_;  // slots that start from a gate's bias_hh alone
  int saved_slots_ = 0;             // vectors saved a step and unit block
  int saved_rows_ = 0;              // numbers saved a step and row besides
  int normal_saved_ = 0;            // slot of the first gate's normalised pre-activations among the saved
  int gates_ = 0;
  bool separate_bias_ = false;      // the last gate's bias_hh is not added to bias_ih's (GRU)
  int normalised_ = 0;              // quantities of which moments over a row are taken
  Moments<P> moments_;
  Weights<P> weights_{layer_};

  Real* z_ = nullptr;               // [units * slots][rows of a chunk][V]
  long chunk_steps_ = 1, chunk_rows_ = 0;
  Real* zeros_ = nullptr;
  Real* bias_ = nullptr;            // [units * gates fed by x][V]
  Real* other_bias_ = nullptr;      // [only_bias_][units][V]
  Real *scale_ = nullptr, *shift_ = nullptr;  // layer norm: [gates][units][V]
  Real* mask_ = nullptr;            // recurrent mask, [output units][B][V]
  uint8_t *alive_ = nullptr, *cut_ = nullptr;  // [T][B] along the walk; cut before the step

  // --- where things are ---

  Real* z(const Step& s, int block, int slot, long row) const {
    return z_ + (long(block * slots_ + slot) * chunk_rows_ + s.chunk_row + row) * LANE;
  }
  Real* saved(long n, int block, int slot, long row) const {
    return static_cast<Real*>(layer_.saved) + n * saved_step_size() + (long(block * saved_slots_ + slot) * batch_ + row) * LANE;
  }
  long saved_step_size() const { return long(units_) * saved_slots_ * batch_ * LANE + batch_ * saved_rows_; }
  Real* saved_row(long n, long row) const { return saved(n, units_, 0, 0) + row * saved_rows_; }
  long at(int block, long row) const { return (long(block) * batch_ + row) * LANE; }
  External* external(const void* tensor, long t, long row, int block, long size) const {
    return static_cast<External*>(const_cast<void*>(tensor)) + (t * batch_ + row) * size + long(block) * LANE;
  }
  long time_of(long n) const { return layer_.reverse ? layer_.steps - 1 - n : n; }

  // Into what a trace looks at: a vector of a gate's units, or of a state's.
  PEEPHOLE_INLINE void show_gate(void* to, const Step& s, int gate, int block, long row, V value) const {
    if (!to) return;
    Real* place = static_cast<Real*>(to) + ((s.t * batch_ + row) * gates_ + gate) * hidden_ + long(block) * LANE;
    store_external<Real>(place, value, lanes_of(hidden_, block));
  }
  PEEPHOLE_INLINE void show_state(void* to, const Step& s, long size, int block, long row, V value) const {
    if (!to) return;
    store_external<Real>(static_cast<Real*>(to) + (s.t * batch_ + row) * size + long(block) * LANE, value,
                         lanes_of(size, block));
  }

  V parameter(const Real* from, int index, int block) const { return load(from + (long(index) * units_ + block) * LANE); }

  V kept_share(int k, const Step& s, int block, long row) const {
    const Share& share = layer_.zoneout[k];
    const Real* from = static_cast<const Real*>(share.data) + s.t * share.step + row * share.row;
    if (share.unit == 0) return splat(*from);
    return load_external<Real>(from + long(block) * LANE, lanes_of(states_[k].size, block));
  }

  // --- forward: a state after a step ---

  // Zoneout, frozen rows, the output and the operand of the next step.
  PEEPHOLE_INLINE void commit(const Step& s, int k, int block, long row, V value) {
    State& state = states_[k];
    Real* place = state.value + at(block, row);
    if (layer_.zoneout[k].data) {
      const V kept = kept_share(k, s, block, row);
      value = kept * load(place) + (Real(1) - kept) * value;
    }
    const bool alive = !s.alive || s.alive[row];
    if (k == 0 && layer_.y) {
      store_external<Real>(external(layer_.y, s.t, row, block, state.size), alive ? value : V{},
                           lanes_of(state.size, block));
    }
    if (!alive) value = load(place);
    if (s.cut_after && s.cut_after[row]) value = V{};
    store(place, value);
    if (state.is_operand) {
      if (state.masked && mask_) value = value * load(mask_ + at(block, row));
      store_operand<P>(state.entering.at(s.n + 1) + at(block, row), value);
    }
  }

  // Whether steps are free of all that a point would have to look at row by row: ends, borders, masks, zoneout.
  bool undisturbed() const {
    bool zoneout = false;
    for (const Share& share : layer_.zoneout) zoneout = zoneout || share.data;
    return !zoneout && !layer_.lengths && !layer_.resets && !layer_.recurrent_mask;
  }

  // Where the rows of one unit block lie in an undisturbed step, found once for all of them; a row is V numbers on.
  struct Rows {
    Real *z, *saved, *value;   // slots are z_slot and saved_slot apart; saved is null where nothing is
    External* y;               // rows are y_row apart
    Operand* next;
    long z_slot, saved_slot, y_row;
    int lanes;
  };

  PEEPHOLE_INLINE Rows rows_of(const Step& s, int block) const {
    const State& state = states_[0];
    Rows rows;
    rows.z = z(s, block, 0, 0);
    rows.z_slot = chunk_rows_ * LANE;
    rows.saved = layer_.saved ? saved(s.n, block, 0, 0) : nullptr;
    rows.saved_slot = batch_ * LANE;
    rows.value = state.value + at(block, 0);
    rows.y = layer_.y ? external(layer_.y, s.t, 0, block, state.size) : nullptr;
    rows.y_row = state.size;
    rows.next = state.is_operand ? state.entering.at(s.n + 1) + at(block, 0) : nullptr;
    rows.lanes = lanes_of(state.size, block);
    return rows;
  }

  // The new h of an undisturbed step.
  PEEPHOLE_INLINE void put_hidden(const Rows& rows, long row, V value) const {
    if (rows.y) store_external<Real>(rows.y + row * rows.y_row, value, rows.lanes);
    store(rows.value + row * LANE, value);
    if (rows.next) store_operand<P>(rows.next + row * LANE, value);
  }

  // --- backward: the gradient of a state after a step ---

  struct Arrived {
    V value;  // what the cell differentiates
    V kept;   // what zoneout, or the end of the row, hands on to the state before
  };

  PEEPHOLE_INLINE V carried(const Step& s, int k, int block, long row) const {
    const State& state = states_[k];
    if (s.cut_after && s.cut_after[row]) return V{};
    V total = load(state.direct + at(block, row));
    if (state.through_product) {
      V product = load(state.through_product + at(block, row));
      if (state.masked && mask_) product = product * load(mask_ + at(block, row));
      total = total + product;
    }
    return total;
  }

  PEEPHOLE_INLINE Arrived arrived(const Step& s, int k, int block, long row) const {
    V total = carried(s, k, block, row);
    if (s.alive && !s.alive[row]) return {V{}, total};
    if (k == 0) {
      total = total + load_external<Real>(external(layer_.dy, s.t, row, block, states_[0].size),
                                          lanes_of(states_[0].size, block));
      show_state(layer_.dhidden, s, states_[0].size, block, row, total);
    }
    if (!layer_.zoneout[k].data) return {total, V{}};
    const V kept = kept_share(k, s, block, row) * total;
    return {total - kept, kept};
  }

  PEEPHOLE_INLINE void hand_on(int k, int block, long row, V value) { store(states_[k].direct + at(block, row), value); }

  // --- lists of blocks ---

  static std::vector<int> counted(int count) {
    std::vector<int> all(count);
    for (int i = 0; i < count; i++) all[i] = i;
    return all;
  }

  // Blocks of the target or of dz: for each unit block those of `slots`, of `per_unit` there are.
  static std::vector<int> slots_of(int units, std::vector<int> slots, int per_unit) {
    std::vector<int> result;
    for (int unit = 0; unit < units; unit++) {
      for (int slot : slots) result.push_back(unit * per_unit + slot);
    }
    return result;
  }

  static std::vector<long> offsets(const std::vector<int>& blocks, long stride) {
    std::vector<long> result;
    for (int block : blocks) result.push_back(block * stride);
    return result;
  }

  // --- who does what ---

  struct Share2D {
    int member = 0, members = 1;
    bool by_rows = false;
    long first_row = 0, last_row = 0;
    int first_unit = 0, last_unit = 0, first_output = 0, last_output = 0;
  };

  Share2D share_of(int member, int members) const {
    Share2D share;
    share.member = member;
    share.members = members;
    share.by_rows = splits_rows(members);
    share.last_row = batch_;
    share.last_unit = units_;
    share.last_output = output_units_;
    if (share.by_rows) {
      share.first_row = batch_ * member / members;
      share.last_row = batch_ * (member + 1) / members;
    } else {
      share.first_unit = units_ * member / members;
      share.last_unit = units_ * (member + 1) / members;
      share.first_output = output_units_ * member / members;
      share.last_output = output_units_ * (member + 1) / members;
    }
    return share;
  }

  // Rows apart need no meeting at each step, but every thread then reads all weights: with few rows it waits for them.
  bool splits_rows(int members) const {
    if (members == 1) return true;
    const long rows = batch_ / members;
    const double row_loss = double((batch_ + members - 1) / members) * members / batch_;
    const double unit_loss = double((units_ + members - 1) / members) * members / units_;
    const double recurrent_bytes = double(gates_) * hidden_ * output_ * sizeof(Operand);
    const long enough = recurrent_bytes > 800e3 ? 12 : 4;
    return rows >= enough && row_loss <= unit_loss * 1.1;
  }

  void meet(const Share2D& share, Barrier& barrier) const {
    if (!share.by_rows) barrier.wait();
  }

  // --- buffers that both directions need ---

  void add_state(long size, bool is_operand, bool masked) {
    State state;
    state.size = size;
    state.blocks = blocks_of(size);
    state.is_operand = is_operand;
    state.masked = masked;
    states_.push_back(state);
  }

  void allocate_common(Allocator& room) {
    room(zeros_, size_t(std::max({units_ * 4, output_units_, blocks_of(layer_.input)})) * LANE);
    if (layer_.recurrent_mask) room(mask_, size_t(output_units_) * batch_ * LANE);
    if (layer_.lengths) room(alive_, layer_.steps * batch_);
    if (layer_.resets) room(cut_, layer_.steps * batch_);
    if (normalised_) moments_.plan(room, normalised_, batch_, hidden_, layer_.threads);
    if (cell_.layer_norm) {
      weights_.unpack_vector(room, scale_, weights_.of(LN), counted(gates_), hidden_);
      weights_.unpack_vector(room, shift_, weights_.of(BIAS_LN), counted(gates_), hidden_);
    }
  }

  void fill_common() {
    std::memset(zeros_, 0, sizeof(Real) * std::max({units_ * 4, output_units_, blocks_of(layer_.input)}) * LANE);
    if (mask_) to_blocks(mask_, static_cast<const Real*>(layer_.recurrent_mask), output_);
    for (long n = 0; n < layer_.steps; n++) {
      const long t = time_of(n);
      for (long row = 0; row < batch_; row++) {
        const bool alive = !layer_.lengths || t < layer_.lengths[row];
        if (alive_) alive_[n * batch_ + row] = alive;
        if (cut_) {
          const long border = layer_.reverse ? t + 1 : t;
          const bool inside = border < layer_.steps && (!layer_.lengths || border < layer_.lengths[row]);
          cut_[n * batch_ + row] = inside && layer_.resets[border * batch_ + row];
        }
      }
    }
  }

  void to_blocks(Real* to, const Real* from, long size) const {
    for (int block = 0; block < blocks_of(size); block++) {
      for (long row = 0; row < batch_; row++) {
        store(to + at(block, row), load_external<Real>(from + row * size + long(block) * LANE, lanes_of(size, block)));
      }
    }
  }

  void from_blocks(Real* to, const Real* from, long size) const {
    for (int block = 0; block < blocks_of(size); block++) {
      for (long row = 0; row < batch_; row++) {
        store_external<Real>(to + row * size + long(block) * LANE, load(from + at(block, row)), lanes_of(size, block));
      }
    }
  }

  // The n-th step of the walk, in a chunk that begins at `chunk_start`.
  Step step_at(long n, long in_chunk, const Share2D& share) const {
    Step s;
    s.member = share.member;
    s.first_units = share.first_unit == 0 && share.last_unit > 0;
    s.n = n;
    s.t = time_of(n);
    // Each member's rows of all steps of a chunk lie together, so that the input product takes them at once.
    s.chunk_row = share.first_row * (chunk_steps_ - 1) + in_chunk * (share.last_row - share.first_row);
    s.alive = alive_ ? alive_ + n * batch_ : nullptr;
    s.cut_after = cut_ && n + 1 < layer_.steps ? cut_ + (n + 1) * batch_ : nullptr;
    return s;
  }

  // x of a chunk as blocks of operands, its rows `first` to `last` - 1: row i is that of step i / `batch` of the chunk and
  // of row `first_row` + i % `batch` of the batch.
  void pack_input(Operand* to, long rows_in_buffer, long first_step, long first, long last, bool backwards, long batch,
                  long first_row) const {
    const auto* x = static_cast<const External*>(layer_.x);
    const long size = layer_.input;
    for (long i = first; i < last;) {  // the rows of one step
      const long in_chunk = i / batch, row = first_row + i % batch;
      const long end = std::min(last, (in_chunk + 1) * batch);
      const long n = backwards ? first_step - in_chunk : first_step + in_chunk;
      const External* from = x + (time_of(n) * batch_ + row) * size;
      for (int block = 0; block < blocks_of(size); block++) {
        const int lanes = lanes_of(size, block);
        Operand* here = to + (block * rows_in_buffer + i) * LANE;
        copy_rows(here, from + long(block) * LANE, size, end - i, lanes);
        for (long k = 0; alive_ && k < end - i; k++) {  // a NaN in padding times a gradient of zero is NaN
          if (!alive_[n * batch_ + row + k]) store_operand<P>(here + k * LANE, V{});
        }
      }
      i = end;
    }
  }

  // Rows of `lanes` numbers, `stride` apart, as rows of a block.
  static void copy_rows(Operand* to, const External* from, long stride, long rows, int lanes) {
    if (lanes == LANE) {
      for (long row = 0; row < rows; row++) {
        store_operand<P>(to + row * LANE, load_external<Real>(from + row * stride, LANE));
      }
    } else {
      for (long row = 0; row < rows; row++) {
        store_operand<P>(to + row * LANE, load_external<Real>(from + row * stride, lanes));
      }
    }
  }

  static const Operand* rows_of_product(const Product<P>& product, long walk, const Share2D& share) {
    return product.operands->at(walk + product.shift) + share.first_row * LANE;
  }

  template <class Cell>
  void run_phase(Cell& cell, const Phase<Cell>& phase, const Step& s, long walk, const Share2D& share) const {
    if (phase.before) (cell.*phase.before)(s, share.first_row, share.last_row);
    const int first = phase.output_units ? share.first_output : share.first_unit;
    const int last = phase.output_units ? share.last_output : share.last_unit;
    const long rows = share.last_row - share.first_row;
    // As few units at once as fill tiles, so that their pre-activations are still in the first-level cache.
    const int width = columns_together(std::max<long>(rows, 1));
    int together = 1;
    for (const auto& product : phase.products) {
      while (together * product.columns_per_unit % width) together++;
    }
    // There and back: a step begins with the weights that the step before ended with, which are still in the cache.
    const bool back = walk % 2;
    const int groups = (last - first + together - 1) / together;
    for (const auto& product : phase.products) {
      if (walk + product.shift < 0) continue;
      convert_rows(product.weights, share.member, rows_of_product(product, walk, share), LANE, product.blocks.data(), rows);
    }
    for (int i = 0; i < groups; i++) {
      const int group = back ? groups - 1 - i : i;
      const int unit = first + group * together, end = std::min(unit + together, last);
      const int next = back ? unit - together : end;
      for (const auto& product : phase.products) {
        if (walk + product.shift < 0) continue;
        Blocked<Real> target = product.target;
        target.data += ((product.by_chunk ? s.chunk_row : 0) + share.first_row) * LANE;
        multiply_by(product.weights, share.member, rows_of_product(product, walk, share), LANE, product.blocks.data(), rows,
                    product.columns.data(), unit * product.columns_per_unit, end * product.columns_per_unit, target,
                    product.fresh ? zeros_ : nullptr, std::max(next, 0) * product.columns_per_unit);
      }
      if (!phase.point) continue;
      for (int block = unit; block < end; block++) (cell.*phase.point)(s, block, share.first_row, share.last_row);
    }
  }
};

}  // namespace peephole::PEEPHOLE_ISA
