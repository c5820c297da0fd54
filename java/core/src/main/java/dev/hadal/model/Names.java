package dev.hadal.model;

import dev.hadal.graph.Leaf;
import dev.hadal.graph.Node;
import java.util.HashSet;
import java.util.Set;

/** Names for the weights that a pass adds to a model. */
final class Names {
    private final Set<String> taken = new HashSet<>();

    Names(Model model) {
        taken.addAll(model.values().keySet());
        for (Node node : model.graph().nodes()) {
            if (node.op() instanceof Leaf leaf) {
                taken.add(leaf.name());
            }
        }
    }

    /** The name of something in a layer. */
    static String join(String path, String name) {
        return path.isEmpty() ? name : path + "." + name;
    }

    /** That name, or with a number if it is taken; taken from now on. */
    String fresh(String name) {
        String free = name;
        for (int i = 2; !taken.add(free); i++) {
            free = name + "~" + i;
        }
        return free;
    }
}
