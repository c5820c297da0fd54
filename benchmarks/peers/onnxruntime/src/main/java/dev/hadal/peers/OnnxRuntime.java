package dev.hadal.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/** ONNX Runtime, which runs models and trains none. */
public final class OnnxRuntime {
    private OnnxRuntime() {}

    public static void main(String[] args) throws Exception {
        if (args[0].equals("write")) {
            Files.write(Path.of(args[1]), OnnxNetwork.mlp(false, Work.MLP));
            return;
        }
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        Stopwatch stopwatch = new Stopwatch("ONNX Runtime " + environment.getVersion(), args[0]);
        OrtSession.SessionOptions options = new OrtSession.SessionOptions();
        options.setIntraOpNumThreads(1);
        options.setInterOpNumThreads(1);
        options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
        boolean int8 = args[0].endsWith("-int8");
        switch (args[0]) {
            case "start" -> {
                try (OrtSession session = environment.createSession(args[1], options);
                        OnnxTensor x = random(environment, 1, Work.MLP[0])) {
                    call(session, Map.of("x", x));
                    stopwatch.started();
                }
            }
            case "add", "matmul16" -> {
                boolean add = args[0].equals("add");
                int[] dims = add ? new int[] {2} : new int[] {16, 16};
                byte[] model = binary(add ? "Add" : "MatMul", dims);
                long[] shape = Arrays.stream(dims).asLongStream().toArray();
                try (OrtSession session = environment.createSession(model, options);
                        OnnxTensor a = random(environment, shape);
                        OnnxTensor b = random(environment, shape)) {
                    stopwatch.time(() -> call(session, Map.of("a", a, "b", b)));
                }
            }
            case "mlp1-f32", "mlp1-int8" ->
                predict(stopwatch, environment, options, OnnxNetwork.mlp(int8, Work.MLP), 1, Work.MLP[0]);
            case "resnet50-1-f32", "resnet50-1-int8" ->
                predict(stopwatch, environment, options, OnnxNetwork.resnet50(int8, 1), 1, 3, 224, 224);
            case "resnet50-8-f32", "resnet50-8-int8" ->
                predict(stopwatch, environment, options, OnnxNetwork.resnet50(int8, 8), 8, 3, 224, 224);
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static void predict(
            Stopwatch stopwatch,
            OrtEnvironment environment,
            OrtSession.SessionOptions options,
            byte[] model,
            long... shape)
            throws Exception {
        try (OrtSession session = environment.createSession(model, options);
                OnnxTensor x = random(environment, shape)) {
            stopwatch.time(() -> call(session, Map.of("x", x)));
        }
    }

    /** a, b → the op → y, all of one shape. */
    private static byte[] binary(String op, int... shape) {
        return OnnxFile.model(OnnxFile.graph()
                .node(op, List.of("a", "b"), "y")
                .input("a", shape)
                .input("b", shape)
                .output("y", shape));
    }

    private static OnnxTensor random(OrtEnvironment environment, long... shape) throws OrtException {
        int n = 1;
        for (long dim : shape) {
            n *= (int) dim;
        }
        return OnnxTensor.createTensor(environment, FloatBuffer.wrap(Work.random(n)), shape);
    }

    /** The result as an array, as one would use it. */
    private static Object call(OrtSession session, Map<String, OnnxTensor> inputs) throws OrtException {
        try (OrtSession.Result result = session.run(inputs)) {
            return result.get(0).getValue();
        }
    }
}
