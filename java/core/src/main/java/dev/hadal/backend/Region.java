package dev.hadal.backend;

/** Where one value lies. */
public record Region(Memory memory, long offset, Layout layout) {

    public Region {
        if (offset < 0 || offset + layout.bytes() > memory.bytes()) {
            throw new IllegalArgumentException("a value of " + layout.bytes() + " bytes at " + offset
                    + " lies outside a memory of " + memory.bytes() + " bytes");
        }
    }
}
