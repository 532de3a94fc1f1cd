// SPDX-License-Identifier: Apache-2.0
// Who does what when in the wgmma form of `tensority`: one flow for the two warpgroups of a block, over an environment
// (Env) that has the instructions. cuda_wgmma.cu gives it the GPU's; a host test runs it on two threads with copies and
// products that take random times, and sees every slot that is overwritten too early.
//
// The warpgroups take turns: while one folds, the other's products run. Matrices come by bulk copies into a ring of
// three, one and a half steps ahead. Matrix v is asked for into the slot of v - 3 after the turn of (v - 2, tile 1) was
// taken. The asking warpgroup finished v - 3 before; the other one gave that turn after it had issued (v - 2, tile 0),
// hence after it had waited for all its products with v - 3. So turns are the only "slot is empty" signal there is.
#pragma once

#include "kernels/tensority/device.h"

namespace sparkmill::tensority::device {

inline constexpr sm_u32 kRing = 3;  ///< matrices in shared memory

/// Chains 0 .. chains - 1 of a block, for warpgroup `group` (0 or 1), which has two tiles of 64 rows of each.
///   env.open()              barriers of the ring are set up; ask(0) and ask(1) may follow
///   env.ask(v)              warpgroup 0: the copy of the matrix of step v is started (steps count on over all chains)
///   env.look_up(v)          the number of the matrix of step v is fetched, for the next ask
///   env.meet()              both warpgroups wait for each other, once
///   env.take_turn(g), env.give_turn(g)   turns of warpgroup g
///   env.await(v)            the matrix of step v is in its slot
///   env.load(chain), env.store(chain)    state after the free first step, state at the end
///   env.multiply(tile, v)   products of a tile are issued; they run on
///   env.finish(tile)        they are done, and their sums folded
template <class Env>
SM_FN void take_turns(Env& env, sm_u32 group, sm_u32 chains) {
  const sm_u32 steps = chains * (SM_STEPS - 1);
  if (group == 0) {
    env.open();
    for (sm_u32 v = 0; v < 2; ++v) {
      env.look_up(v);
      env.ask(v);
    }
    env.look_up(2);
  }
  env.meet();
  if (group == 1) env.give_turn(0);  // the first turn
  sm_u32 v = 0;
  for (sm_u32 chain = 0; chain < chains; ++chain) {
    env.load(chain);
    SM_UNROLL_NOT
    for (sm_u32 t = 1; t < SM_STEPS; ++t, ++v) {
      env.await(v);
      SM_UNROLL
      for (sm_u32 tile = 0; tile < 2; ++tile) {
        env.take_turn(group);
        env.multiply(tile, v);
        // The last turn of all is warpgroup 1's: what it would give then nobody takes.
        if (group == 0 || tile == 0 || v + 1 < steps) env.give_turn(1 - group);
        if (tile == 1 && group == 0 && v + 2 < steps) {
          env.ask(v + 2);
          env.look_up(v + 3 < steps ? v + 3 : v);
        }
        env.finish(tile);
      }
    }
    env.store(chain);
  }
}

}  // namespace sparkmill::tensority::device
