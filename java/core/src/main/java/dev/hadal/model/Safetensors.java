package dev.hadal.model;

import dev.hadal.graph.Type;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The safetensors format: the header's length as u64, little-endian; the header, a JSON object; then the values, row by
 * row, little-endian.
 */
public final class Safetensors {
    private static final int MAX_HEADER = 100_000_000;
    private static final String METADATA = "__metadata__";

    /** What a file holds. */
    public record Content(Map<String, Tensor> tensors, Map<String, String> metadata) {}

    /** Writes a file; an existing one is replaced only once the new one is complete on disk. */
    public static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) throws IOException {
        Map<String, Object> header = new LinkedHashMap<>();
        header.put(METADATA, metadata);
        long offset = 0;
        for (Map.Entry<String, Tensor> e : tensors.entrySet()) {
            Tensor t = e.getValue();
            long end = offset + bytes(t);
            header.put(
                    e.getKey(),
                    Map.of(
                            "dtype", t.dtype().name(),
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
            writeFully(out, head.flip());
            for (Tensor t : tensors.values()) {
                writeFully(out, values(t));
            }
            out.force(true);
        }
        Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    private static void writeFully(FileChannel out, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            out.write(buffer);
        }
    }

    private static long bytes(Tensor t) {
        return new Type(t.dtype(), t.shape()).bytes();
    }

    private static ByteBuffer values(Tensor t) {
        ByteBuffer buffer = ByteBuffer.allocate(Math.toIntExact(bytes(t))).order(ByteOrder.LITTLE_ENDIAN);
        switch (t.dtype()) {
            case F32 -> buffer.asFloatBuffer().put(t.floats());
            case I32 -> buffer.asIntBuffer().put(t.ints());
        }
        return buffer;
    }

    /**
     * Reads a file.
     *
     * @throws ModelFormatException if it is not safetensors, is cut short, or holds a dtype that Hadal does not have
     */
    public static Content read(Path file) throws IOException {
        try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
            ByteBuffer length = readFully(in, 0, 8, file);
            long headerBytes = length.getLong();
            if (headerBytes < 2 || headerBytes > MAX_HEADER || headerBytes > in.size() - 8) {
                throw new ModelFormatException(file + " is not safetensors: its header would take " + headerBytes
                        + " of " + in.size() + " bytes");
            }
            byte[] json = new byte[(int) headerBytes];
            readFully(in, 8, json.length, file).get(json);
            Object header = Json.read(new String(json, StandardCharsets.UTF_8));
            if (!(header instanceof Map<?, ?> entries)) {
                throw new ModelFormatException(file + " is not safetensors: its header is no JSON object");
            }
            return content(in, 8 + headerBytes, entries, file);
        }
    }

    private static Content content(FileChannel in, long base, Map<?, ?> entries, Path file) throws IOException {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        Map<String, String> metadata = new LinkedHashMap<>();
        for (Map.Entry<?, ?> e : entries.entrySet()) {
            String name = String.valueOf(e.getKey());
            if (!(e.getValue() instanceof Map<?, ?> entry)) {
                throw new ModelFormatException(file + ": the header's entry '" + name + "' is no object");
            }
            if (name.equals(METADATA)) {
                entry.forEach((k, v) -> metadata.put(String.valueOf(k), String.valueOf(v)));
            } else {
                tensors.put(name, tensor(in, base, name, entry, file));
            }
        }
        return new Content(tensors, metadata);
    }

    private static Tensor tensor(FileChannel in, long base, String name, Map<?, ?> entry, Path file)
            throws IOException {
        Type type = type(name, entry, file);
        List<Long> offsets = longs(entry.get("data_offsets"), name + ".data_offsets", file);
        if (offsets.size() != 2 || offsets.get(0) < 0 || offsets.get(1) - offsets.get(0) != type.bytes()) {
            throw new ModelFormatException(file + ": '" + name + "' is " + type + " and takes " + type.bytes()
                    + " bytes, but its offsets are " + offsets);
        }
        ByteBuffer data = readFully(in, base + offsets.get(0), Math.toIntExact(type.bytes()), file);
        return switch (type.dtype()) {
            case F32 -> {
                float[] values = new float[type.shape().size()];
                data.asFloatBuffer().get(values);
                yield Tensor.of(type.shape(), values);
            }
            case I32 -> {
                int[] values = new int[type.shape().size()];
                data.asIntBuffer().get(values);
                yield Tensor.of(type.shape(), values);
            }
        };
    }

    private static Type type(String name, Map<?, ?> entry, Path file) throws ModelFormatException {
        String dtype = String.valueOf(entry.get("dtype"));
        try {
            List<Integer> dims = new ArrayList<>();
            for (long d : longs(entry.get("shape"), name + ".shape", file)) {
                dims.add(Math.toIntExact(d));
            }
            Type type = new Type(DType.valueOf(dtype), new Shape(dims));
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

    private static List<Long> longs(@Nullable Object value, String what, Path file) throws ModelFormatException {
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

    private static ByteBuffer readFully(FileChannel in, long position, int count, Path file) throws IOException {
        if (position < 0 || position > in.size() - count) {
            throw new ModelFormatException(file + " is cut short: it has " + in.size() + " bytes, but " + count
                    + " are needed at " + position);
        }
        ByteBuffer buffer = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining()) {
            if (in.read(buffer, position + buffer.position()) < 0) {
                throw new ModelFormatException(file + " became shorter while it was read");
            }
        }
        return buffer.flip();
    }

    private Safetensors() {}
}
