// SPDX-License-Identifier: Apache-2.0
#include "worker/cli/args.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <cstdio>

#include "worker/config/nearest.h"

namespace sparkmill::cli {

namespace po = boost::program_options;

namespace {

/// Long options are compared with '-' and '_' as the same letter: "--cpu-lanes" is "--cpu_lanes".
std::string plain(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

std::vector<std::string> with_plain_names(std::span<const std::string> args) {
  std::vector<std::string> out;
  bool literal = false;
  for (const std::string& a : args) {
    if (a == "--") literal = true;
    if (literal || a.size() < 3 || a.compare(0, 2, "--") != 0) {
      out.push_back(a);
      continue;
    }
    const std::size_t eq = a.find('=');
    out.push_back("--" + plain(std::string_view(a).substr(2, eq == std::string::npos ? eq : eq - 2)) +
                  (eq == std::string::npos ? "" : a.substr(eq)));
  }
  return out;
}

po::options_description describe(const Usage& usage) {
  po::options_description all;
  auto add = all.add_options();
  add("help,h", "");
  if (usage.config_keys) add("config", po::value<std::string>(), "");
  for (const OwnOption& o : usage.own) {
    if (o.value.empty()) {
      add(plain(o.name).c_str(), "");
    } else {
      add(plain(o.name).c_str(), po::value<std::string>(), "");
    }
  }
  if (usage.config_keys) {
    for (const config::Option& o : config::options()) {
      auto* value = po::value<std::string>();
      if (o.type == config::Type::flag) value->implicit_value("true");
      add(std::string(o.name).c_str(), value, "");
    }
  }
  add("word", po::value<std::vector<std::string>>(), "");
  return all;
}

Error unknown_option(const Usage& usage, const std::string& given) {
  std::string bare = given.substr(0, given.find('='));
  bare.erase(0, std::min(bare.find_first_not_of('-'), bare.size()));
  std::vector<std::string> names{"help", "config"};
  for (const OwnOption& o : usage.own) names.emplace_back(o.name);
  if (usage.config_keys) {
    for (const config::Option& o : config::options()) names.emplace_back(o.name);
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string meant = config::nearest(bare, views);
  return fail(Status::bad_argument, "unknown option '" + given.substr(0, 80) + "'",
              meant.empty() ? "sparkmill help " + std::string(usage.verb) : "did you mean --" + meant + "?");
}

}  // namespace

std::string Args::get(std::string_view own, std::string otherwise) const {
  const auto it = own_.find(own);
  return it == own_.end() ? std::move(otherwise) : it->second;
}

std::string usage_text(const Usage& usage) {
  std::string out = "Usage: sparkmill " + std::string(usage.verb) + " [OPTIONS]";
  if (!usage.words.empty()) out += " " + std::string(usage.words);
  out += "\n\n" + std::string(usage.about) + "\n\n";
  const auto line = [&](std::string left, std::string_view right) {
    left.resize(std::max<std::size_t>(left.size() + 2, 26), ' ');
    out += "  " + left + std::string(right) + "\n";
  };
  for (const OwnOption& o : usage.own) {
    line("--" + std::string(o.name) + (o.value.empty() ? "" : " " + std::string(o.value)), o.help);
  }
  if (usage.config_keys) {
    line("--config FILE", "settings from this file");
    line("--KEY VALUE", "any setting; sparkmill config keys lists them");
  }
  line("--help", "this text");
  return out;
}

Result<Args> parse_args(const Usage& usage, std::span<const std::string> args) {
  Args out;
  out.inputs.environment = config::process_environment();
  const po::options_description all = describe(usage);
  po::positional_options_description words;
  words.add("word", -1);
  po::variables_map map;
  try {
    using Style = po::command_line_style::style_t;
    const int style =
        (po::command_line_style::default_style | po::command_line_style::allow_long) & ~Style::allow_guessing;
    po::store(po::command_line_parser(with_plain_names(args)).options(all).positional(words).style(style).run(), map);
  } catch (const po::unknown_option& e) {
    return unknown_option(usage, e.get_option_name());
  } catch (const po::error& e) {
    return fail(Status::bad_argument, e.what(), "sparkmill help " + std::string(usage.verb));
  }
  if (map.count("help") != 0) {
    std::fputs(usage_text(usage).c_str(), stdout);
    out.help = true;
    return out;
  }
  if (map.count("word") != 0) out.words = map["word"].as<std::vector<std::string>>();
  if (out.words.size() > usage.max_words) {
    return fail(Status::bad_argument, "unexpected word '" + out.words[usage.max_words].substr(0, 80) + "'",
                "sparkmill help " + std::string(usage.verb));
  }
  for (const OwnOption& o : usage.own) {
    const auto it = map.find(plain(o.name));
    if (it != map.end()) out.own_[std::string(o.name)] = o.value.empty() ? "" : it->second.as<std::string>();
  }
  if (!usage.config_keys) return out;
  if (map.count("config") != 0) out.inputs.file = map["config"].as<std::string>();
  for (const config::Option& o : config::options()) {
    const auto it = map.find(std::string(o.name));
    if (it != map.end()) out.inputs.command_line[std::string(o.name)] = it->second.as<std::string>();
  }
  return out;
}

}  // namespace sparkmill::cli
