package dev.hadal.model;

import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The safetensors format: the header's length as u64, little-endian; the header, a JSON object; then the values, row by
 * row, little-endian. What Hadal writes carries a {@link Checksum} of the whole file in its metadata.
 */
public final class Safetensors {
    private static final int MAX_HEADER = 100_000_000;
    private static final int BUFFER = 1 << 18;
    private static final String METADATA = "__metadata__";

    /** What a file holds. */
    public record Content(Map<String, Tensor> tensors, Map<String, String> metadata) {}

    /** Writes a file; an existing one is replaced only once the new one is complete on disk. */
    public static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) throws IOException {
        Map<String, String> signed = new LinkedHashMap<>();
        signed.put(Checksum.KEY, Checksum.NONE);
        signed.putAll(metadata);
        Map<String, Object> header = new LinkedHashMap<>();
        header.put(METADATA, signed);
        long offset = 0;
        for (Map.Entry<String, Tensor> e : tensors.entrySet()) {
            Tensor t = e.getValue();
            long end = offset + bytes(t);
            header.put(
                    e.getKey(),
                    Map.of(
                            "dtype", name(t.dtype()),
                            "shape", t.shape().dims(),
                            "data_offsets", List.of(offset, end)));
            offset = end;
        }
        byte[] json = Json.write(header).getBytes(StandardCharsets.UTF_8);
        Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
        try (FileChannel out = FileChannel.open(
                temporary, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
            // The values begin at a multiple of 8 bytes; the format pads the header with spaces.
            int padding = (8 - json.length % 8) % 8;
            ByteBuffer head = ByteBuffer.allocate(8 + json.length + padding).order(ByteOrder.LITTLE_ENDIAN);
            head.putLong(json.length + (long) padding)
                    .put(json)
                    .put(" ".repeat(padding).getBytes(StandardCharsets.UTF_8));
            Checksum checksum = new Checksum();
            write(out, checksum, head.flip());
            for (Tensor t : tensors.values()) {
                write(out, checksum, values(t));
            }
            out.position(8L + indexOf(json, Checksum.NONE));
            writeFully(out, ByteBuffer.wrap(checksum.hex().getBytes(StandardCharsets.US_ASCII)));
            out.force(true);
        }
        Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        forceDirectory(file);
    }

    /** Makes the new name last as well, where directories can be forced to disk. */
    private static void forceDirectory(Path file) throws IOException {
        Path directory = file.toAbsolutePath().getParent();
        if (directory != null
                && directory.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    }

    /** Where an ASCII text begins; −1 if it is not there. */
    private static int indexOf(byte[] bytes, String text) {
        return new String(bytes, StandardCharsets.ISO_8859_1).indexOf(text);
    }

    private static void write(FileChannel out, Checksum checksum, ByteBuffer buffer) throws IOException {
        checksum.update(buffer.duplicate());
        writeFully(out, buffer);
    }

    private static void writeFully(FileChannel out, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            out.write(buffer);
        }
    }

    /** As the format names it: S8 is I8 there. */
    private static String name(DType dtype) {
        return dtype == DType.S8 ? "I8" : dtype.name();
    }

    private static DType dtype(String name) {
        for (DType dtype : DType.values()) {
            if (name(dtype).equals(name)) {
                return dtype;
            }
        }
        throw new IllegalArgumentException("no dtype " + name);
    }

    private static long bytes(Tensor t) {
        return new Type(t.dtype(), t.shape()).bytes();
    }

    private static ByteBuffer values(Tensor t) {
        ByteBuffer buffer = ByteBuffer.allocate(Math.toIntExact(bytes(t))).order(ByteOrder.LITTLE_ENDIAN);
        switch (t.dtype()) {
            case F32 -> buffer.asFloatBuffer().put(t.floats());
            case BF16 -> buffer.asShortBuffer().put(t.bf16Bits());
            case I32 -> buffer.asIntBuffer().put(t.ints());
            case S8, U8 -> buffer.put(0, t.bytes());
        }
        return buffer;
    }

    /**
     * Reads a file. A checksum is verified if there is one.
     *
     * @throws ModelFormatException if it is not safetensors, is cut short or damaged, or holds a dtype that Hadal does not
     *     have
     */
    public static Content read(Path file) throws IOException {
        return read(file, false);
    }

    /**
     * Reads a file that Hadal wrote: a missing checksum is damage, too.
     *
     * @throws ModelFormatException if it is not such a file, is cut short or damaged
     */
    public static Content readChecked(Path file) throws IOException {
        return read(file, true);
    }

    private static Content read(Path file, boolean checked) throws IOException {
        if (Files.isDirectory(file)) {
            throw new ModelFormatException(file + " is a directory, not a safetensors file");
        }
        try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
            return read(in, checked, file.toString());
        }
    }

    /**
     * Reads from anything that has a size.
     *
     * @param file what messages call it
     */
    static Content read(SeekableByteChannel in, boolean checked, String file) throws IOException {
        ByteBuffer length = readFully(in, 0, 8, file);
        long headerBytes = length.getLong();
        if (headerBytes < 2 || headerBytes > MAX_HEADER || headerBytes > in.size() - 8) {
            throw new ModelFormatException(
                    file + " is not safetensors: its header would take " + headerBytes + " of " + in.size() + " bytes");
        }
        byte[] json = new byte[(int) headerBytes];
        readFully(in, 8, json.length, file).get(json);
        Object header;
        try {
            header = Json.read(new String(json, StandardCharsets.UTF_8));
        } catch (ModelFormatException e) {
            throw new ModelFormatException(file + " is not safetensors: its header is no " + e.getMessage(), e);
        }
        if (!(header instanceof Map<?, ?> entries)) {
            throw new ModelFormatException(file + " is not safetensors: its header is no JSON object");
        }
        verify(in, json, entries, checked, file);
        return content(in, 8 + headerBytes, entries, file);
    }

    private static void verify(SeekableByteChannel in, byte[] json, Map<?, ?> entries, boolean checked, String file)
            throws IOException {
        Map<?, ?> metadata = entries.get(METADATA) instanceof Map<?, ?> map ? map : Map.of();
        Checksum checksum = new Checksum();
        Object stated = metadata.get(Checksum.KEY);
        int at = stated instanceof String s && s.length() == Checksum.NONE.length() ? indexOf(json, s) : -1;
        if (at < 0) {
            if (checked || stated != null) {
                throw new ModelFormatException(
                        file + " has no checksum, as every file that Hadal writes; it is damaged,"
                                + " or was written by something else");
            }
            return;
        }
        ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(BUFFER, in.size()));
        long from = 8L + at;
        long to = from + Checksum.NONE.length();
        in.position(0);
        for (long position = 0; in.read(buffer) >= 0; buffer.clear()) {
            buffer.flip();
            for (long i = Math.max(from, position); i < Math.min(to, position + buffer.limit()); i++) {
                buffer.put((int) (i - position), (byte) '0');
            }
            position += buffer.limit();
            checksum.update(buffer);
        }
        String found = checksum.hex();
        if (!found.equals(stated)) {
            throw new ModelFormatException(file + " is damaged: its checksum is " + found + ", but it says " + stated);
        }
    }

    private static Content content(SeekableByteChannel in, long base, Map<?, ?> entries, String file)
            throws IOException {
        checkRanges(entries, in.size() - base, file);
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        Map<String, String> metadata = new LinkedHashMap<>();
        for (Map.Entry<?, ?> e : entries.entrySet()) {
            String name = String.valueOf(e.getKey());
            if (!(e.getValue() instanceof Map<?, ?> entry)) {
                throw new ModelFormatException(file + ": the header's entry '" + name + "' is no object");
            }
            if (name.equals(METADATA)) {
                for (Map.Entry<?, ?> said : entry.entrySet()) {
                    metadata.put(String.valueOf(said.getKey()), String.valueOf(said.getValue()));
                }
                metadata.remove(Checksum.KEY);
            } else {
                tensors.put(name, tensor(in, base, name, entry, file));
            }
        }
        return new Content(tensors, metadata);
    }

    private record Range(long from, long until) implements Comparable<Range> {
        @Override
        public int compareTo(Range other) {
            int order = Long.compare(from, other.from);
            return order == 0 ? Long.compare(until, other.until) : order;
        }
    }

    /** Values lie one after another without gaps: a small file cannot ask for much memory. */
    private static void checkRanges(Map<?, ?> entries, long available, String file) throws ModelFormatException {
        List<Range> ranges = new ArrayList<>();
        for (Map.Entry<?, ?> e : entries.entrySet()) {
            if (!METADATA.equals(e.getKey()) && e.getValue() instanceof Map<?, ?> entry) {
                List<Long> range = longs(entry.get("data_offsets"), e.getKey() + ".data_offsets", file);
                if (range.size() != 2 || range.get(0) < 0 || range.get(1) < range.get(0)) {
                    throw new ModelFormatException(file + ": the offsets of '" + e.getKey() + "' are " + range);
                }
                ranges.add(new Range(range.get(0), range.get(1)));
            }
        }
        Collections.sort(ranges);
        long end = 0;
        for (Range range : ranges) {
            if (range.from != end) {
                throw new ModelFormatException(file + ": values lie at [" + range.from + ", " + range.until
                        + "], but those before end at " + end);
            }
            end = range.until;
        }
        if (end != available) {
            throw new ModelFormatException(
                    file + " has " + available + " bytes of values, but its header tells of " + end);
        }
    }

    private static Tensor tensor(SeekableByteChannel in, long base, String name, Map<?, ?> entry, String file)
            throws IOException {
        Type type = type(name, entry, file);
        List<Long> offsets = longs(entry.get("data_offsets"), name + ".data_offsets", file);
        if (offsets.size() != 2 || offsets.get(0) < 0 || offsets.get(1) - offsets.get(0) != type.bytes()) {
            throw new ModelFormatException(file + ": '" + name + "' is " + type + " and takes " + type.bytes()
                    + " bytes, but its offsets are " + offsets);
        }
        return values(in, base + offsets.get(0), type, file);
    }

    /** Reads a tensor's values, a buffer at a time. */
    private static Tensor values(SeekableByteChannel in, long position, Type type, String file) throws IOException {
        Tensor tensor = Tensor.zeros(type.dtype(), type.shape());
        int bytes = type.dtype().bytes();
        int size = type.shape().size();
        ByteBuffer buffer = ByteBuffer.allocate((int) Math.min(BUFFER, type.bytes()));
        buffer.order(ByteOrder.LITTLE_ENDIAN);
        for (int from = 0; from < size; ) {
            int count = Math.min(buffer.capacity() / bytes, size - from);
            readFully(in, position + (long) from * bytes, buffer.clear().limit(count * bytes), file);
            switch (type.dtype()) {
                case F32 -> buffer.asFloatBuffer().get(tensor.floats(), from, count);
                case BF16 -> buffer.asShortBuffer().get(tensor.bf16Bits(), from, count);
                case I32 -> buffer.asIntBuffer().get(tensor.ints(), from, count);
                case S8, U8 -> buffer.get(tensor.bytes(), from, count);
            }
            from += count;
        }
        return tensor;
    }

    private static Type type(String name, Map<?, ?> entry, String file) throws ModelFormatException {
        String dtype = String.valueOf(entry.get("dtype"));
        try {
            List<Integer> dims = new ArrayList<>();
            for (long d : longs(entry.get("shape"), name + ".shape", file)) {
                dims.add(Math.toIntExact(d));
            }
            Type type = new Type(dtype(dtype), new Shape(dims));
            if (type.bytes() > Integer.MAX_VALUE) {
                throw new IllegalArgumentException(type + " exceeds 2 GiB");
            }
            return type;
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new ModelFormatException(
                    file + ": '" + name + "' has dtype " + dtype + " and shape " + entry.get("shape")
                            + ", which Hadal cannot hold",
                    e);
        }
    }

    private static List<Long> longs(@Nullable Object value, String what, String file) throws ModelFormatException {
        List<Long> longs = new ArrayList<>();
        if (value instanceof List<?> list) {
            for (Object o : list) {
                if (o instanceof Long l) {
                    longs.add(l);
                }
            }
            if (longs.size() == list.size()) {
                return longs;
            }
        }
        throw new ModelFormatException(file + ": '" + what + "' is no list of integers");
    }

    private static ByteBuffer readFully(SeekableByteChannel in, long position, int count, String file)
            throws IOException {
        return readFully(in, position, ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN), file);
    }

    /** Fills what remains of a buffer. */
    private static ByteBuffer readFully(SeekableByteChannel in, long position, ByteBuffer buffer, String file)
            throws IOException {
        int count = buffer.remaining();
        if (position < 0 || position > in.size() - count) {
            throw new ModelFormatException(file + " is cut short: it has " + in.size() + " bytes, but " + count
                    + " are needed at " + position);
        }
        in.position(position);
        while (buffer.hasRemaining()) {
            if (in.read(buffer) < 0) {
                throw new ModelFormatException(file + " became shorter while it was read");
            }
        }
        return buffer.flip();
    }

    private Safetensors() {}
}
