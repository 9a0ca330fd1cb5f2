// Nodes: the objects that a root leads to, and what each refers to, by number. A snapshot: the
// sources stay alive, and what a thread changes meanwhile is not seen half.
//
// Needs the GIL. Everything may throw std::bad_alloc, but for what is noexcept.
#ifndef FROZEN_ARENA_PYTHON_PACK_NODES_H_
#define FROZEN_ARENA_PYTHON_PACK_NODES_H_

#include <cstdint>

#include "python/freeze/scratch.h"
#include "python/layout/object_compat.h"

namespace frozen_arena {

using NodeIndex = std::uint32_t;
inline constexpr NodeIndex kNoNode = ~NodeIndex{0};

// Done: the copy is complete, and nothing will be asked of the source again.
enum class NodeState : std::uint8_t { kFound, kEntered, kDone };

struct Node {
  PyObject* source;          // owned; nullptr once it is needed no more
  PyObject* copy;            // owned; nullptr until it is made
  std::uint64_t first_edge;  // what it refers to lies together, in edges()
  std::uint32_t edge_count;
  NodeIndex parent;       // who led here first
  std::uint32_t made_of;  // of the edges, those that must be complete before the copy is made
  NodeState state;
  bool known;  // its copy is one that others may be merged with
};

class Nodes {
 public:
  Nodes() = default;
  ~Nodes();
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;

  // The number of `source`, a new one if it has none. `*is_new` receives which.
  NodeIndex Add(PyObject* source, NodeIndex parent, bool* is_new);

  Node& operator[](NodeIndex index) noexcept { return nodes_[index]; }
  const Node& operator[](NodeIndex index) const noexcept { return nodes_[index]; }
  std::size_t size() const noexcept { return nodes_.size(); }

  // Gives up source and copy of `index` where nothing else holds the source, and so on with what it
  // refers to: what a reduction has made for a moment. Keeps what is known.
  void ForgetIfAlone(NodeIndex index);

  // Edges are added for one node at a time, which is entered last.
  void BeginEdges(NodeIndex index) noexcept { nodes_[index].first_edge = edges_.size(); }
  void AddEdge(NodeIndex from, NodeIndex to);
  NodeIndex Edge(const Node& node, std::uint32_t number) const noexcept {
    return edges_[node.first_edge + number];
  }

 private:
  void GrowTable();
  std::size_t PlaceOf(const PyObject* source) const noexcept;

  ScratchVector<Node> nodes_;
  ScratchVector<NodeIndex> edges_;
  ScratchVector<NodeIndex> to_forget_;
  ScratchVector<NodeIndex> table_;  // open addressing, a power of two; kNoNode where empty
};

}  // namespace frozen_arena

#endif  // FROZEN_ARENA_PYTHON_PACK_NODES_H_
