#include "streams.h"

#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

namespace peephole {
namespace {

constexpr long CHUNK_BYTES = 1 << 16;

std::mutex all_guard;
std::vector<Streams*>& all() {
  static auto* streams = new std::vector<Streams*>;  // never destroyed: threads may outlive static objects
  return *streams;
}

void unlock_all() {
  for (Streams* each : all()) each->guard().unlock();
  all_guard.unlock();
}

// A fork while another thread runs a call would leave its guard locked in the child for good, and states half written.
// What is registered last is called first: the workspace's guard, which a call may want, is locked after these.
void let_calls_end_before_forks() {
  [[maybe_unused]] static const int registered = pthread_atfork(
      [] {
        all_guard.lock();
        for (Streams* each : all()) each->guard().lock();
      },
      unlock_all, unlock_all);
}

}  // namespace

Streams::Streams(std::shared_ptr<const Snapshot> snapshot)
    : snapshot_(std::move(snapshot)), decoder_(snapshot_->open()), record_(snapshot_->model().record()),
      chunk_records_(std::max(1L, CHUNK_BYTES / long(record_ * sizeof(float)))), beginning_(record_) {
  decoder_->begin(beginning_.data());
  let_calls_end_before_forks();
  std::lock_guard<std::mutex> lock(all_guard);
  all().push_back(this);
}

Streams::~Streams() {
  std::lock_guard<std::mutex> lock(all_guard);
  std::erase(all(), this);
}

void Streams::check(const int64_t* ids, long count, bool apart) {
  const uint64_t call = ++calls_;
  for (long i = 0; i < count; i++) {
    const int64_t id = ids[i];
    if (id < 0 || id >= int64_t(slots_.size()) || slots_[id].seen == NOBODY) {
      throw std::invalid_argument("no stream has the id " + std::to_string(id) + "; join gives ids, and leave takes them");
    }
    if (apart && slots_[id].seen == call) {
      throw std::invalid_argument("stream " + std::to_string(id) + " is named twice; name each once in a call");
    }
    slots_[id].seen = call;
  }
}

void Streams::join(long count, int64_t* ids) {
  std::lock_guard<std::mutex> lock(guard_);
  for (long i = 0; i < count; i++) {
    if (free_.empty()) {
      if (long(slots_.size()) % chunk_records_ == 0) {
        chunks_.push_back(std::make_unique_for_overwrite<float[]>(size_t(chunk_records_) * record_));
      }
      free_.push_back(int64_t(slots_.size()));
      slots_.push_back({{}, NOBODY});
    }
    ids[i] = free_.back();
    free_.pop_back();
    slots_[ids[i]] = {{0, uint64_t(ids[i]), 0}, 0};
    std::copy(beginning_.begin(), beginning_.end(), record(ids[i]));
  }
  count_ += count;
}

void Streams::leave(const int64_t* ids, long count) {
  std::lock_guard<std::mutex> lock(guard_);
  check(ids, count);
  for (long i = 0; i < count; i++) {
    slots_[ids[i]].seen = NOBODY;
    free_.push_back(ids[i]);
  }
  count_ -= count;
}

void Streams::reset(const int64_t* ids, long count) {
  std::lock_guard<std::mutex> lock(guard_);
  check(ids, count);
  for (long i = 0; i < count; i++) std::copy(beginning_.begin(), beginning_.end(), record(ids[i]));
}

void Streams::copy(const int64_t* from, const int64_t* to, long count) {
  std::lock_guard<std::mutex> lock(guard_);
  check(from, count, false);
  check(to, count);
  // Some may be both: all are read before any is written.
  std::vector<float> states(size_t(count) * record_);
  std::vector<Generator> generators(count);
  for (long i = 0; i < count; i++) {
    std::copy_n(record(from[i]), record_, states.data() + i * record_);
    generators[i] = slots_[from[i]].generator;
  }
  for (long i = 0; i < count; i++) {
    std::copy_n(states.data() + i * record_, record_, record(to[i]));
    slots_[to[i]].generator = generators[i];
  }
}

void Streams::read_states(const int64_t* ids, long count, float* states) {
  std::lock_guard<std::mutex> lock(guard_);
  check(ids, count, false);
  for (long i = 0; i < count; i++) std::copy_n(record(ids[i]), record_, states + i * record_);
}

void Streams::write_states(const int64_t* ids, long count, const float* states) {
  std::lock_guard<std::mutex> lock(guard_);
  check(ids, count);
  for (long i = 0; i < count; i++) std::copy_n(states + i * record_, record_, record(ids[i]));
}

void Streams::seed(const int64_t* ids, long count, uint64_t seed, const uint64_t* numbers, const uint64_t* drawn) {
  std::lock_guard<std::mutex> lock(guard_);
  check(ids, count);
  for (long i = 0; i < count; i++) slots_[ids[i]].generator = {seed, numbers[i], drawn ? drawn[i] : 0};
}

void Streams::read_generators(const int64_t* ids, long count, uint64_t* words) {
  std::lock_guard<std::mutex> lock(guard_);
  check(ids, count, false);
  for (long i = 0; i < count; i++) {
    const Generator& one = slots_[ids[i]].generator;
    words[3 * i] = one.seed;
    words[3 * i + 1] = one.number;
    words[3 * i + 2] = one.drawn;
  }
}

void Streams::run(const int64_t* ids, Decoding& call) {
  std::lock_guard<std::mutex> lock(guard_);
  check(ids, call.rows);
  const DecoderModel& model = snapshot_->model();
  const auto known = [&](const int64_t* symbols, long count, int64_t below, const char* what) {
    for (long i = 0; i < count; i++) {
      if (symbols[i] < 0 || symbols[i] >= below) {
        throw std::invalid_argument(std::string(what) + " " + std::to_string(symbols[i]) + " is not one of the " +
                                    std::to_string(below) + " that the model knows");
      }
    }
  };
  if (call.targets && !model.softmax) throw std::invalid_argument("the model gives no probabilities of symbols");
  if (call.drawing && (!model.symbols || model.outputs != model.symbols)) {
    throw std::invalid_argument("the model gives " + std::to_string(model.outputs) + " logits for its " +
                                std::to_string(model.symbols) + " symbols: what is drawn could not be fed to it");
  }
  const long first = call.drawing ? call.rows : call.steps * call.rows;
  if (call.symbols) known(call.symbols, first, model.symbols, "symbol");
  if (call.targets) known(call.targets, call.steps * call.rows, model.outputs, "target");
  if (call.drawing) known(call.drawing->never.data(), long(call.drawing->never.size()), model.outputs, "symbol");
  records_.resize(call.rows);
  for (long i = 0; i < call.rows; i++) records_[i] = record(ids[i]);
  call.records = records_.data();
  if (call.drawing) {
    generators_.resize(call.rows);
    for (long i = 0; i < call.rows; i++) generators_[i] = &slots_[ids[i]].generator;
    call.generators = generators_.data();
  }
  decoder_->run(call);
}

}  // namespace peephole
