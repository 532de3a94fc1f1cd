// SPDX-License-Identifier: Apache-2.0
// How each scheme is translated into the shapes of its kernels: one function a scheme, called by verify_on with sizes
// that are already checked.
#pragma once

#include "verify/signatures/batch.h"

namespace sparkmill::signatures::translate {

struct Call {
  const Form& form;
  const Items& items;
  const Results& results;
  kernels::Kernel* kernel;
  const StopToken& stop;
};

Done ed25519(const Call& call);
Done ecdsa(const Call& call);
Done recover(const Call& call);
Done bip340(const Call& call);
Done musig2(const Call& call);
Done rsa2048(const Call& call);
Done ecvrf(const Call& call);

}  // namespace sparkmill::signatures::translate
