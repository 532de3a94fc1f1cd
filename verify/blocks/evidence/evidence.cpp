// SPDX-License-Identifier: Apache-2.0
#include "verify/blocks/evidence/evidence.h"

#include <algorithm>

#include "verify/blocks/evidence/fields.h"

namespace sparkmill::evidence {
namespace {

std::span<const KindRow> rows(System system) { return system == System::bttc ? bttc_kinds() : btn_kinds(); }

const KindRow* find(System system, const Json& item) {
  if (!item.is_object()) return nullptr;
  const auto kind = item.find("kind");
  if (kind == item.end() || !kind->is_string()) return nullptr;
  for (const KindRow& row : rows(system)) {
    if (row.kind == kind->get_ref<const std::string&>()) return &row;
  }
  return nullptr;
}

Error unknown_kind(System system) {
  std::string known;
  for (const std::string_view kind : kinds(system)) known += (known.empty() ? "" : ", ") + std::string(kind);
  return fail(Status::bad_input, "\"kind\" is none of " + std::string(name(system)), "kinds: " + known);
}

Answer to_answer(const Task& task) {
  Answer a;
  if (task.error) {
    a.error = *task.error;
    return a;
  }
  // Names of commands come as they are; they are UTF-8, but a replacement is better than an exception.
  a.json = task.out.dump(-1, ' ', false, Json::error_handler_t::replace);
  a.ok = task.ok;
  a.reason = task.reason;
  return a;
}

}  // namespace

std::string_view name(System system) { return system == System::bttc ? "bttc" : "btn"; }

std::vector<std::string_view> kinds(System system) {
  std::vector<std::string_view> out;
  for (const KindRow& row : rows(system)) out.push_back(row.kind);
  return out;
}

bool is_item(System system, const Json& item) {
  const KindRow* row = find(system, item);
  if (row == nullptr) return false;
  const auto in = item.find("in");
  return in != item.end() && in->is_object() && in->contains(row->first_field);
}

Result<std::vector<Answer>> answer(System system, std::span<const Json> items, const Kernels& kernels,
                                   const Options& options, const StopToken& stop) {
  std::vector<Task> tasks(items.size());
  std::vector<std::vector<Task*>> by_kind(rows(system).size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    const KindRow* row = find(system, items[i]);
    if (row == nullptr) {
      tasks[i].error = unknown_kind(system);
      continue;
    }
    const auto in = items[i].find("in");
    if (in == items[i].end() || !in->is_object()) {
      tasks[i].error = fail(Status::bad_input, "\"in\" is missing or no object");
      continue;
    }
    tasks[i].in = &*in;
    by_kind[static_cast<std::size_t>(row - rows(system).data())].push_back(&tasks[i]);
  }
  for (std::size_t k = 0; k < by_kind.size(); ++k) {
    if (!by_kind[k].empty()) SPARKMILL_TRY(rows(system)[k].run(by_kind[k], {kernels, options, stop}));
  }
  std::vector<Answer> answers;
  answers.reserve(tasks.size());
  for (const Task& task : tasks) answers.push_back(to_answer(task));
  return answers;
}

std::string difference(const Answer& answer, const Json& expect) {
  if (!answer.read()) return answer.error.message;
  const Json got = Json::parse(answer.json);
  // Columns of verdicts are compared field by field, too: an answer may say more than a vector knows.
  const std::function<std::string(const Json&, const Json&, const std::string&)> compare =
      [&](const Json& mine, const Json& want, const std::string& where) -> std::string {
    if (!want.is_object()) {
      if (mine == want) return {};
      return where + ": " + mine.dump().substr(0, 80) + ", expected " + want.dump().substr(0, 80);
    }
    for (const auto& [key, value] : want.items()) {
      if (!mine.is_object() || !mine.contains(key)) return where + key + " is missing";
      if (std::string d = compare(mine.at(key), value, where + (where.empty() ? "" : ".") + key); !d.empty()) return d;
    }
    return {};
  };
  return compare(got, expect, "");
}

}  // namespace sparkmill::evidence
