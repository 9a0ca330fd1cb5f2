#include "python/pack/place.h"

#include <string>
#include <vector>

#include "python/layout/fields.h"
#include "python/layout/words.h"

namespace frozen_arena {
namespace {

constexpr std::size_t kLongestKey = 60;  // bytes of a key that are shown
constexpr std::size_t kDeepest = 16;     // steps that are shown, counted from the object

std::string TextOf(PyObject* text) {
  const char* const utf8 = text == nullptr ? nullptr : PyUnicode_AsUTF8(text);
  std::string result = utf8 == nullptr ? "..." : utf8;
  PyErr_Clear();
  return result;
}

std::string KeyOf(PyObject* key) {
  PyObject* const shown = PyObject_Repr(key);
  std::string text = TextOf(shown);
  Py_XDECREF(shown);
  return text.size() > kLongestKey ? "..." : text;
}

std::string Numbered(const char* before, std::uint32_t number) {
  return std::string(before).append("[").append(std::to_string(number)).append("]");
}

// The name of the value that an instance has at `edge`; values follow slots.
std::string AttributeAt(PyObject* instance, const Plan& plan, std::uint32_t edge) {
  if (edge < plan.slots.size()) {
    return std::string(".").append(FieldAt(instance, plan.slots[edge]).name);
  }
  std::uint32_t at = static_cast<std::uint32_t>(plan.slots.size());
  std::string name = "<attribute>";
  ForEachAttribute(instance, [&](PyObject* key, PyObject* /*value*/) {
    if (at++ == edge) name = TextOf(key);
  });
  return std::string(".").append(name);
}

std::string StepTo(const Nodes& nodes, const Plan& plan, const Node& node, std::uint32_t edge) {
  switch (plan.copying) {
    case Copying::kDict:
      if (edge % 2 == 0) return "<a key>";
      return std::string("[").append(KeyOf(nodes[nodes.Edge(node, edge - 1)].source)).append("]");
    case Copying::kInstance:
      return AttributeAt(node.source, plan, edge);
    case Copying::kSet:
    case Copying::kFrozenSet:
      return "<an item>";
    case Copying::kDate:
      return ".tzinfo";
    case Copying::kReduced:
      return edge < node.made_of ? Numbered("<arguments>", edge) : "<state>";
    case Copying::kTuple:
    case Copying::kList:
    case Copying::kKept:
    case Copying::kLeaf:
      break;
  }
  return Numbered("", edge);
}

std::string PlaceOf(const Nodes& nodes, Plans* plans, NodeIndex index) {
  std::string place;
  for (std::size_t depth = 0; nodes[index].parent != kNoNode; ++depth) {
    if (depth == kDeepest) return place.insert(0, "...");
    const NodeIndex parent = nodes[index].parent;
    const Node& node = nodes[parent];
    if (node.source == nullptr) return place.insert(0, "...");
    std::uint32_t edge = 0;
    while (edge < node.edge_count && nodes.Edge(node, edge) != index) ++edge;
    const Plan* const plan = plans->For(Py_TYPE(node.source));
    place.insert(0, plan == nullptr ? "..." : StepTo(nodes, *plan, node, edge));
    index = parent;
  }
  return place.insert(0, "root");
}

// `text` as a TypeError whose cause is `cause`, which is taken over.
void RaiseFrom(const std::string& text, PyObject* cause) {
  PyErr_SetString(PyExc_TypeError, text.c_str());
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  PyException_SetCause(value, cause);
  PyErr_Restore(type, value, traceback);
}

}  // namespace

void SayWhere(const Nodes& nodes, Plans* plans, NodeIndex index) {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  const std::string place = PlaceOf(nodes, plans, index);
  PyErr_Clear();
  if (value != nullptr && PyErr_GivenExceptionMatches(type, PyExc_TypeError) != 0) {
    PyObject* const said = PyObject_Str(value);
    const std::string text = place + ": " + TextOf(said) +
                             "; keep it outside of what is packed, or give a reducer: "
                             "reducers={type: callable}";
    Py_XDECREF(said);
    Py_DECREF(type);
    Py_XDECREF(traceback);
    RaiseFrom(text, value);
    return;
  }
  const std::string note = "while packing " + place;
  PyObject* const added =
      value == nullptr ? nullptr : PyObject_CallMethod(value, "add_note", "s", note.c_str());
  Py_XDECREF(added);
  PyErr_Clear();
  PyErr_Restore(type, value, traceback);
}

}  // namespace frozen_arena
