// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/signers/generate.h"

namespace sparkmill::signatures {

Result<Generated> generate(const Form& form, std::size_t count, const GenerateSettings& settings) {
  SPARKMILL_ASSIGN(const auto signers, make_signers(form, {settings.seed, settings.message_bytes}));
  ChaChaWords draw(settings.seed, 2);  // apart from the signers' stream
  const std::span<const Flaw> flaws = signers->flaws();
  std::size_t turn = draw.below(flaws.size());
  Generated out{ItemList(form), {}};
  for (std::size_t i = 0; i < count; ++i) {
    const bool bad = settings.bad_one_in != 0 && draw.below(settings.bad_one_in) == 0;
    const Flaw flaw = bad ? flaws[turn++ % flaws.size()] : Flaw::none;
    SPARKMILL_ASSIGN(const Sample item, bad ? signers->bad(flaw) : signers->good());
    SPARKMILL_TRY(out.items.add(item.key, item.signature, item.message));
    out.flaws.push_back(flaw);
  }
  return out;
}

}  // namespace sparkmill::signatures
