package dev.hadal.onednn;

import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.SizeTPointer;

/** Room for what one of oneDNN's query functions answers: a number, or the address of something. */
final class Answer implements AutoCloseable {
    private final Pointer room = Pointer.malloc(Long.BYTES);

    Pointer room() {
        return room;
    }

    SizeTPointer size() {
        return new SizeTPointer(room);
    }

    int asInt() {
        return new IntPointer(room).get();
    }

    /** The first few of the numbers at the address. */
    long[] asLongs(int count) {
        long[] values = new long[count];
        if (count > 0) {
            new PointerPointer<LongPointer>(room).get(LongPointer.class, 0).get(values);
        }
        return values;
    }

    String asString() {
        return new PointerPointer<BytePointer>(room).get(BytePointer.class, 0).getString();
    }

    @Override
    public void close() {
        Pointer.free(room);
    }
}
