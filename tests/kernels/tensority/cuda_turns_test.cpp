// SPDX-License-Identifier: Apache-2.0
// The flow of the wgmma form on two host threads, one a warpgroup, with barriers that count as the hardware's do and
// copies and products that end at random times. Finds slots that are overwritten while they are read, matrices that are
// not there, turns that are lost or left over, and deadlocks.
#include "kernels/tensority/cuda_turns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace sparkmill::tensority {
namespace {

using namespace device;
constexpr sm_u32 kNothing = ~0u;

/// What the two warpgroups of a block share. All of it under one mutex: the test is about order, not speed.
struct Block {
  struct Slot {
    sm_u32 matrix = kNothing;  ///< what its bytes are, or will be
    bool here = false;         ///< the copy has ended
    sm_u32 uses = 0;           ///< products over with it: four a matrix
    sm_u32 readers = 0;        ///< products under way
  };
  struct Barrier {
    sm_u32 arrived = 0;  ///< of the two warpgroups
    std::uint64_t phase = 0;
  };

  explicit Block(unsigned seed) : random(seed) {}

  void fail(const std::string& what) { errors.insert(what); }
  /// Waits for `ready` with a limit: a deadlock becomes an error.
  template <class Ready>
  void wait(std::unique_lock<std::mutex>& lock, const char* what, Ready ready) {
    if (!broken && !changed.wait_for(lock, std::chrono::seconds(20), [&] { return broken || ready(); })) {
      fail(std::string("deadlock: ") + what);
      broken = true;
      changed.notify_all();
    }
  }
  void arrive(sm_u32 which) {
    if (++barriers[which].arrived == 2) {
      barriers[which].arrived = 0;
      ++barriers[which].phase;
      changed.notify_all();
    }
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::mt19937 random;
  Slot slots[kRing];
  Barrier barriers[3];  ///< two for turns, one to meet
  std::vector<std::thread> copies;
  std::set<std::string> errors;
  bool broken = false;
  int products = 0, most_products = 0;
};

struct HostEnv {
  Block& block;
  sm_u32 group;
  sm_u32 number = kNothing, under_way = kNothing, done[2] = {0, 0}, chains = 0;
  bool turn = false;

  /// Sometimes somebody else gets ahead.
  void dawdle() {
    std::unique_lock lock(block.mutex);
    const auto pick = static_cast<unsigned>(block.random() % 64);
    lock.unlock();
    if (pick == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    if (pick < 16) std::this_thread::yield();
  }
  void open() {}
  void look_up(sm_u32 v) { number = v; }
  void ask(sm_u32 v) {
    dawdle();
    const std::lock_guard lock(block.mutex);
    Block::Slot& s = block.slots[v % kRing];
    if (group != 0) block.fail("only warpgroup 0 may ask");
    if (number != v) block.fail("asked for another matrix than looked up");
    if (s.readers != 0) block.fail("a slot is overwritten while products read it");
    if (s.matrix != kNothing && (s.uses != 4 || s.matrix + kRing != v))
      block.fail("a slot is overwritten before all tiles had its matrix");
    s = {v, false, 0, 0};
    const auto delay = static_cast<unsigned>(block.random() % 300);
    block.copies.emplace_back([this, v, delay] {
      std::this_thread::sleep_for(std::chrono::microseconds(delay));
      const std::lock_guard inner(block.mutex);
      block.slots[v % kRing].here = true;
      block.changed.notify_all();
    });
  }
  void sync(sm_u32 which, const char* what) {
    dawdle();
    std::unique_lock lock(block.mutex);
    const std::uint64_t phase = block.barriers[which].phase;
    block.arrive(which);
    block.wait(lock, what, [&] { return block.barriers[which].phase != phase; });
  }
  void meet() { sync(2, "meeting"); }
  void take_turn(sm_u32 g) {
    sync(g, "turn");
    turn = true;
  }
  void give_turn(sm_u32 g) {
    dawdle();
    const std::lock_guard lock(block.mutex);
    block.arrive(g);
    turn = false;
  }
  void await(sm_u32 v) {
    std::unique_lock lock(block.mutex);
    block.wait(lock, "copy", [&] { return block.slots[v % kRing].matrix == v && block.slots[v % kRing].here; });
  }
  void load(sm_u32 chain) {
    if (chain != chains) complain("chains out of order");
    done[0] = done[1] = 0;
  }
  void multiply(sm_u32 tile, sm_u32 v) {
    const std::lock_guard lock(block.mutex);
    Block::Slot& s = block.slots[v % kRing];
    if (!turn) block.fail("products without a turn");
    if (under_way != kNothing) block.fail("sums of a tile are overwritten");
    if (s.matrix != v || !s.here) block.fail("products with a matrix that is not there");
    if (v != chains * (SM_STEPS - 1) + done[tile]) block.fail("a step is left out");
    ++s.readers;
    under_way = v;
    block.most_products = std::max(block.most_products, ++block.products);
  }
  void finish(sm_u32 tile) {
    dawdle();
    const std::lock_guard lock(block.mutex);
    Block::Slot& s = block.slots[under_way % kRing];
    if (s.matrix != under_way) block.fail("products read another matrix");
    --s.readers;
    ++s.uses;
    --block.products;
    ++done[tile];
    under_way = kNothing;
  }
  void store(sm_u32 chain) {
    if (chain != chains || done[0] != SM_STEPS - 1 || done[1] != SM_STEPS - 1) complain("a chain is incomplete");
    ++chains;
  }
  void complain(const char* what) {
    const std::lock_guard lock(block.mutex);
    block.fail(what);
  }
};

TEST(TensorityTurns, NoSlotIsOverwrittenAndNoTurnIsLost) {
  for (const sm_u32 chains : {1u, 2u, 5u}) {
    for (unsigned seed = 1; seed <= 4; ++seed) {
      Block block(seed);
      HostEnv one{block, 0}, two{block, 1};
      std::thread other([&] { take_turns(two, 1, chains); });
      take_turns(one, 0, chains);
      other.join();
      for (std::thread& copy : block.copies) copy.join();
      EXPECT_TRUE(block.errors.empty()) << *block.errors.begin() << ", seed " << seed;
      EXPECT_EQ(one.chains, chains);
      EXPECT_EQ(two.chains, chains);
      EXPECT_EQ(block.copies.size(), chains * (SM_STEPS - 1));
      for (const Block::Barrier& b : block.barriers) EXPECT_EQ(b.arrived, 0u) << "a turn was given that nobody took";
      EXPECT_EQ(block.most_products, 2);  // both at work at once, or turns would be good for nothing
    }
  }
}

}  // namespace
}  // namespace sparkmill::tensority
