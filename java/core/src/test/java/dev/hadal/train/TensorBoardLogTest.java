package dev.hadal.train;

import static dev.hadal.nn.Layers.linear;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.hadal.backend.Backends;
import dev.hadal.data.Dataset;
import dev.hadal.optim.Optimizer;
import dev.hadal.tensor.DType;
import dev.hadal.tensor.Shape;
import dev.hadal.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TensorBoardLogTest {

    /** A record read back: of the fields that it has. */
    private record Event(double seconds, long step, String version, Map<String, Float> scalars) {}

    // ---- an independent reader: the checksum bit by bit, the protocol buffers field by field ----

    private static List<Event> read(Path file) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        List<Event> events = new ArrayList<>();
        while (bytes.hasRemaining()) {
            byte[] length = new byte[8];
            bytes.get(length);
            assertEquals(masked(length), bytes.getInt(), "checksum of a length");
            byte[] data = new byte
                    [(int) ByteBuffer.wrap(length)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .getLong()];
            bytes.get(data);
            assertEquals(masked(data), bytes.getInt(), "checksum of an event");
            events.add(event(ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN)));
        }
        return events;
    }

    private static int masked(byte[] data) {
        int crc = -1;
        for (byte b : data) {
            crc ^= b & 0xff;
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc & 1) != 0 ? crc >>> 1 ^ 0x82f63b78 : crc >>> 1;
            }
        }
        crc = ~crc;
        return (crc >>> 15 | crc << 17) + 0xa282ead8;
    }

    private static Event event(ByteBuffer message) {
        double seconds = Double.NaN;
        long step = 0;
        String version = "";
        Map<String, Float> scalars = new LinkedHashMap<>();
        while (message.hasRemaining()) {
            int key = (int) varint(message);
            switch (key) {
                case 1 << 3 | 1 -> seconds = message.getDouble();
                case 2 << 3 -> step = varint(message);
                case 3 << 3 | 2 -> version = text(part(message));
                case 5 << 3 | 2 -> summary(part(message), scalars);
                default -> throw new AssertionError("field " + (key >> 3) + " of wire type " + (key & 7));
            }
        }
        return new Event(seconds, step, version, scalars);
    }

    private static void summary(ByteBuffer message, Map<String, Float> scalars) {
        while (message.hasRemaining()) {
            assertEquals(1 << 3 | 2, varint(message));
            ByteBuffer value = part(message);
            assertEquals(1 << 3 | 2, varint(value));
            String tag = text(part(value));
            assertEquals(2 << 3 | 5, varint(value));
            scalars.put(tag, value.getFloat());
            assertFalse(value.hasRemaining());
        }
    }

    private static long varint(ByteBuffer message) {
        long value = 0;
        for (int shift = 0; ; shift += 7) {
            byte b = message.get();
            value |= (b & 0x7fL) << shift;
            if (b >= 0) {
                return value;
            }
        }
    }

    private static ByteBuffer part(ByteBuffer message) {
        int length = (int) varint(message);
        ByteBuffer part = message.slice(message.position(), length).order(ByteOrder.LITTLE_ENDIAN);
        message.position(message.position() + length);
        return part;
    }

    private static String text(ByteBuffer message) {
        return StandardCharsets.UTF_8.decode(message).toString();
    }

    // ---- the tests ----

    /** As TensorFlow writes them, at 256.5 s after the epoch. */
    @Test
    void theBytesAreTheKnownOnes(@TempDir Path dir) throws IOException {
        Path path = dir.resolve("events");
        try (EventFile file = new EventFile(path, 256.5)) {
            file.scalars(256.5, 1, Map.of("v/1", 1.5));
        }
        String version = "1800000000000000" + "a37f4b22" + "090000000000087040" + "1a0d" + "627261696e2e4576656e743a32"
                + "bc98212b";
        String scalar = "1900000000000000" + "8bf10828" + "090000000000087040" + "1001" + "2a0c" + "0a0a" + "0a03762f31"
                + "150000c03f" + "2cecc087";
        assertArrayEquals(HexFormat.of().parseHex(version + scalar), Files.readAllBytes(path));
        assertThrows(FileAlreadyExistsException.class, () -> new EventFile(path, 0));
    }

    @Test
    void whatIsWrittenIsReadBack(@TempDir Path dir) throws IOException {
        Path path = dir.resolve("events");
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("val_loss", 0.1);
        values.put("größe/" + "x".repeat(200), -1e30);
        values.put("none", Double.NaN);
        try (EventFile file = new EventFile(path, 1.25)) {
            file.scalars(2.5, 300, values);
            file.scalars(3.5, Long.MAX_VALUE, Map.of());
        }
        List<Event> events = read(path);
        assertEquals(new Event(1.25, 0, "brain.Event:2", Map.of()), events.get(0));
        assertEquals(new Event(3.5, Long.MAX_VALUE, "", Map.of()), events.get(2));
        Map<String, Float> floats = new LinkedHashMap<>();
        values.forEach((tag, value) -> floats.put(tag, value.floatValue()));
        assertEquals(new Event(2.5, 300, "", floats), events.get(1));
    }

    @Test
    void aTrainingRunIsAFile(@TempDir Path dir) throws IOException {
        Path logs = dir.resolve("logs/run");
        Dataset zeros = Dataset.of(Tensor.zeros(DType.F32, Shape.of(40, 2)), 2, new int[40]);
        List<Epoch> history = new ArrayList<>();
        try (Trainer trainer = Trainer.of(linear(2), Shape.of(2))
                .optimizer(Optimizer.sgd(0).rate(0.25))
                .batch(16)
                .backends(Backends.of("java").withThreads(1))
                .build()) {
            Fit how = Fit.epochs(2).validateOn(zeros).listener(Listener.tensorBoard(logs));
            history.addAll(trainer.fit(zeros, how));
            history.addAll(trainer.fit(zeros, how));
        }
        List<Path> files;
        try (Stream<Path> list = Files.list(logs)) {
            files = list.sorted().toList();
        }
        assertEquals(2, files.size(), files.toString());
        for (int run = 0; run < 2; run++) {
            assertTrue(files.get(run).getFileName().toString().startsWith("events.out.tfevents."));
            List<Event> events = read(files.get(run));
            assertEquals(1 + 2 * (3 + 1), events.size());
            assertEquals("brain.Event:2", events.get(0).version());
            assertTrue(Math.abs(events.get(0).seconds() - System.currentTimeMillis() / 1000.0) < 600);
            Event step = events.get(6);
            assertEquals(run * 6 + 5, step.step());
            assertEquals(
                    List.of("step/loss", "step/rate", "step/gradient_norm"),
                    List.copyOf(step.scalars().keySet()));
            assertEquals(0.25f, step.scalars().get("step/rate"));
            Event epoch = events.get(8);
            assertEquals(run * 6 + 6, epoch.step());
            Map<String, Float> expected = new LinkedHashMap<>();
            history.get(run * 2 + 1).values().forEach((n, x) -> expected.put("epoch/" + n, x.floatValue()));
            assertEquals(expected, epoch.scalars());
        }
    }

    @Test
    void aDirectoryThatCannotBeIsNamed(@TempDir Path dir) throws IOException {
        Path file = Files.createFile(dir.resolve("taken"));
        try (Trainer trainer = Trainer.of(linear(2), Shape.of(2))
                .backends(Backends.of("java").withThreads(1))
                .build()) {
            Dataset zeros = Dataset.of(Tensor.zeros(DType.F32, Shape.of(4, 2)), 2, new int[4]);
            UncheckedIOException e = assertThrows(
                    UncheckedIOException.class,
                    () -> trainer.fit(zeros, Fit.epochs(1).listener(Listener.tensorBoard(file.resolve("logs")))));
            assertTrue(String.valueOf(e.getMessage()).contains("taken"), e.getMessage());
        }
    }
}
