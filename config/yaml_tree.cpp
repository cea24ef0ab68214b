#include "config/yaml_tree.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

namespace flanks::config {

namespace {

place place_of(const YAML::Mark& mark) {
  return mark.is_null() ? place{1, 1} : place{mark.line + 1, mark.column + 1};
}

// Builds the tree from yaml-cpp's events: its own Node would drop repeated keys.
class tree_builder final : public YAML::EventHandler {
 public:
  yaml_node root;
  std::vector<yaml_problem> problems;

  [[nodiscard]] int documents() const { return documents_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 2) {
      problems.push_back({place_of(mark), "a second document begins here",
                          "keep one document in the file: remove the line --- or the stray comma"});
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    finish({yaml_node::kind::nothing, place_of(mark), {}, {}, {}});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    problems.push_back(
        {place_of(mark), "aliases (*name) are not taken here", "write the value out"});
    finish({yaml_node::kind::nothing, place_of(mark), {}, {}, {}});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    check_tag(mark, tag);
    finish({yaml_node::kind::scalar, place_of(mark), value, {}, {}});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open_.push_back({{yaml_node::kind::list, place_of(mark), {}, {}, {}}, {}});
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open_.push_back({{yaml_node::kind::map, place_of(mark), {}, {}, {}}, {}});
  }
  void OnMapEnd() override { close(); }

 private:
  struct level {
    yaml_node node;
    std::vector<yaml_node> key;  // of a map: the key that waits for its value, or none
  };

  // yaml-cpp says "?" for a plain scalar and "!" for a quoted one.
  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!")
      problems.push_back({place_of(mark), "tags (!name) are not taken here", "remove the tag"});
  }

  void close() {
    yaml_node done = std::move(open_.back().node);
    open_.pop_back();
    finish(std::move(done));
  }

  void finish(yaml_node node) {
    if (open_.empty()) {
      if (documents_ == 1) root = std::move(node);
      return;
    }
    level& parent = open_.back();
    if (parent.node.is == yaml_node::kind::list) {
      parent.node.items.push_back(std::move(node));
    } else if (parent.key.empty()) {
      parent.key.push_back(std::move(node));
    } else {
      parent.node.keys.push_back(std::move(parent.key.back()));
      parent.node.items.push_back(std::move(node));
      parent.key.clear();
    }
  }

  int documents_ = 0;
  std::vector<level> open_;
};

}  // namespace

std::string_view to_string(yaml_node::kind k) {
  switch (k) {
    case yaml_node::kind::scalar:
      return "a single value";
    case yaml_node::kind::list:
      return "a list";
    case yaml_node::kind::map:
      return "a mapping";
    case yaml_node::kind::nothing:
      break;
  }
  return "nothing";
}

std::variant<yaml_node, std::vector<yaml_problem>> read_yaml(std::string_view text) {
  // yaml-cpp 0.7 takes a quoted value that the end of the file cuts off. A document's end mark,
  // which no quoted value may hold, makes it complain.
  std::istringstream in{std::string{text} + "\n...\n"};
  tree_builder builder;
  try {
    YAML::Parser parser{in};
    // Two are enough to refuse the file; and for a stray comma yaml-cpp 0.7 would begin one empty
    // document after another, for ever.
    while (builder.documents() < 2 && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& e) {
    place at = place_of(e.mark);
    const auto last_line = 1 + static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    const bool cut_off = e.msg == YAML::ErrorMsg::DOC_IN_SCALAR && at.line > last_line;
    if (at.line > last_line) at = {last_line, 1};
    return std::vector<yaml_problem>{
        {at, "is not valid YAML: " + (cut_off ? std::string{"a quote is never closed"} : e.msg),
         ""}};
  }
  if (!builder.problems.empty()) return std::move(builder.problems);
  return std::move(builder.root);
}

}  // namespace flanks::config
