// SPDX-License-Identifier: Apache-2.0
// Parsing of a verb's command line by Boost.Program_options: the verb's own options, positional words, and every key of
// the option table as --key VALUE ('-' and '_' are the same). --help and --config FILE are always there.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "worker/config/config.h"

namespace sparkmill::cli {

struct OwnOption {
  std::string_view name;   ///< without dashes, words joined by '-'
  std::string_view value;  ///< what is shown for the value, "FILE"; empty: a switch
  std::string_view help;
};

struct Usage {
  std::string_view verb;
  std::string_view words;  ///< positional part, "[DEVICE]"
  std::string_view about;  ///< one or more sentences
  std::span<const OwnOption> own;
  std::size_t max_words = 0;
  bool config_keys = true;  ///< also accept the keys of the option table
};

struct Args {
  bool help = false;  ///< --help was given and printed: return 0
  std::vector<std::string> words;
  config::Inputs inputs;
  bool has(std::string_view own) const { return own_.find(own) != own_.end(); }
  std::string get(std::string_view own, std::string otherwise = {}) const;

 private:
  friend Result<Args> parse_args(const Usage& usage, std::span<const std::string> args);
  std::map<std::string, std::string, std::less<>> own_;
};

/// Errors: bad_argument (exit 2) naming the option, with the nearest name as the hint.
Result<Args> parse_args(const Usage& usage, std::span<const std::string> args);
std::string usage_text(const Usage& usage);

}  // namespace sparkmill::cli
