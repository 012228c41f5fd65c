// Streams of a decoder: each its own state and its own random numbers, joining and leaving at any time.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "../kernels.h"
#include "model.h"

namespace peephole {

// A model whose weights are packed, immutable and shared by whatever streams run over it. The memory is the caller's, and
// stays while the snapshot lives.
class Snapshot {
 public:
  Snapshot(const std::string& instructions, DecoderModel model, char* memory)
      : kernels_(kernels_called(instructions)), products_(byte_products_for(instructions)), model_(std::move(model)),
        memory_(memory) {}

  static size_t size(const std::string& instructions, const DecoderModel& model) {
    return kernels_called(instructions).decoder_size(model, byte_products_for(instructions));
  }
  static void pack(const std::string& instructions, const DecoderModel& model, char* memory) {
    kernels_called(instructions).pack_decoder(model, byte_products_for(instructions), memory);
  }

  const DecoderModel& model() const { return model_; }
  std::unique_ptr<Decoder> open() const { return kernels_.open_decoder(model_, products_, memory_); }

 private:
  const Kernels& kernels_;
  const ByteProducts& products_;
  const DecoderModel model_;
  char* const memory_;
};

// Ids are whole numbers from 0 on; those of streams that left are given to the next that join. Every function throws
// std::invalid_argument for an id that no stream has, or that is named twice in a call, before anything happens.
// A stream costs its states and 40 bytes.
class Streams {
 public:
  explicit Streams(std::shared_ptr<const Snapshot> snapshot);
  ~Streams();
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  // New streams, at the state that the model begins with, with the random numbers of (0, their id).
  void join(long count, int64_t* ids);
  void leave(const int64_t* ids, long count);
  long count() const { return count_; }

  // Back to the beginning.
  void reset(const int64_t* ids, long count);
  // States and random numbers of each `from` to the `to` beside it.
  void copy(const int64_t* from, const int64_t* to, long count);
  void read_states(const int64_t* ids, long count, float* states);         // [count, record()]
  void write_states(const int64_t* ids, long count, const float* states);
  // The random numbers from `drawn` on of (seed, number).
  void seed(const int64_t* ids, long count, uint64_t seed, const uint64_t* numbers, const uint64_t* drawn);
  void read_generators(const int64_t* ids, long count, uint64_t* words);   // [count, 3]: seed, number, drawn

  // Runs a call whose rows are the streams `ids`; `call` has no records and, where it draws, no generators.
  void run(const int64_t* ids, Decoding& call);

  const Snapshot& snapshot() const { return *snapshot_; }
  std::mutex& guard() { return guard_; }  // held by whoever is inside; a fork waits for it

 private:
  struct Slot {
    Generator generator;
    uint64_t seen = 0;  // the last call that named it; NOBODY: free
  };
  static constexpr uint64_t NOBODY = ~uint64_t(0);

  const std::shared_ptr<const Snapshot> snapshot_;
  const std::unique_ptr<Decoder> decoder_;
  const long record_, chunk_records_;
  std::vector<float> beginning_;
  std::vector<std::unique_ptr<float[]>> chunks_;
  std::vector<Slot> slots_;
  std::vector<int64_t> free_;
  std::vector<float*> records_;
  std::vector<Generator*> generators_;
  long count_ = 0;
  uint64_t calls_ = 0;
  mutable std::mutex guard_;

  float* record(int64_t id) const { return chunks_[id / chunk_records_].get() + id % chunk_records_ * record_; }
  void check(const int64_t* ids, long count, bool apart = true);
};

}  // namespace peephole
