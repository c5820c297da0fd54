package dev.hadal.onednn;

import dev.hadal.backend.Layout;
import dev.hadal.backend.Operand;
import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** What a kernel is to be prepared for. */
record Request(List<Operand> operands, List<Type> results, Descriptors descriptors) {

    Type type(int operand) {
        return operands.get(operand).type();
    }

    boolean hasBf16() {
        return Stream.concat(operands.stream().map(Operand::type), results.stream())
                .anyMatch(type -> type.dtype() == DType.BF16);
    }

    boolean hasBytes() {
        return Stream.concat(operands.stream().map(Operand::type), results.stream())
                .anyMatch(type -> type.dtype().isByte());
    }

    /** Whether all values are of one dtype; so are those of an op that is not mixed, integers apart. */
    boolean hasOneDtype() {
        return Stream.concat(operands.stream().map(Operand::type), results.stream())
                        .map(Type::dtype)
                        .distinct()
                        .count()
                == 1;
    }

    Shape shape(int operand) {
        return type(operand).shape();
    }

    Type result(int i) {
        return results.get(i);
    }

    /** Where an operand lies, or null if nobody has laid it out. */
    @Nullable
    Layout layout(int operand) {
        return operands.get(operand).layout();
    }

    /**
     * One layout for operands of one shape, for a kernel that does the same to every element wherever it lies: that of the
     * first operand which is not plain, so that values stay as the kernels that care have laid them out.
     */
    Layout common() {
        for (Operand operand : operands) {
            if (operand.layout() instanceof OneDnnLayout layout && layout.type().equals(type(0))) {
                return layout;
            }
        }
        return Layout.plain(type(0));
    }

    /** Whether the first operand lies with its channels innermost. */
    boolean channelsLast() {
        return shape(0).rank() > 2 && OneDnnLayout.channelsLast(type(0)).equals(layout(0));
    }
}
