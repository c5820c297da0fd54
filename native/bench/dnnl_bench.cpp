/*
 * What the kernels cost without Java: oneDNN's primitives, described as Hadal describes them (layouts of oneDNN's
 * choice, scratchpad from outside, arguments bound once, one thread), libhadal's own kernels beside them, and the
 * ceilings of the core. Cases of one name differ in their library alone and are measured in turns.
 *
 *   dnnl_bench [part of a name, …]
 *
 * Prints one line per case, with tabs between: library, name, median in microseconds, the two quartiles, runs, work
 * per run, its unit (flop or byte), work per nanosecond. Of a ceiling, the time is that of 10⁹ units.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "hadal.h"
#include "oneapi/dnnl/dnnl.hpp"

namespace {

using dnnl::memory;
using dt = memory::data_type;
using tag = memory::format_tag;
using Dims = memory::dims;
using Body = std::function<void()>;

const double kSeconds = 0.25;  // for each case of a group, in turns
const int kRounds = 21;

std::vector<std::string> wanted;

bool is_wanted(const std::string& name) {
    if (wanted.empty()) return true;
    return std::any_of(wanted.begin(), wanted.end(),
                       [&](const std::string& part) { return name.find(part) != std::string::npos; });
}

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double time_of(const Body& body, int64_t runs) {
    double start = now();
    for (int64_t i = 0; i < runs; i++) body();
    return (now() - start) / (double)runs;
}

void print(const char* library, const std::string& name, double median, double low, double high, int64_t runs,
           double work, const char* unit) {
    printf("%s\t%s\t%.4g\t%.4g\t%.4g\t%lld\t%.6g\t%s\t%.4g\n", library, name.c_str(), median * 1e6, low * 1e6,
           high * 1e6, (long long)runs, work, unit, work / median * 1e-9);
    fflush(stdout);
}

struct Contestant {
    const char* library;
    Body body;
};

/** Times the contestants in turns, so that what disturbs one disturbs all. */
void compare(const std::string& name, double work, const char* unit, const std::vector<Contestant>& contestants) {
    std::vector<int64_t> runs;
    std::vector<std::vector<double>> times(contestants.size());
    for (const Contestant& each : contestants) {
        double once = 0;
        for (double spent = 0; spent < 0.03;) spent += once = time_of(each.body, 1);
        double round = kSeconds / kRounds;
        runs.push_back(std::max<int64_t>(1, (int64_t)(round / std::max(once, 1e-8))));
    }
    for (int round = 0; round < kRounds; round++)
        for (size_t i = 0; i < contestants.size(); i++) times[i].push_back(time_of(contestants[i].body, runs[i]));
    for (size_t i = 0; i < contestants.size(); i++) {
        std::sort(times[i].begin(), times[i].end());
        print(contestants[i].library, name, times[i][kRounds / 2], times[i][kRounds / 4],
              times[i][kRounds - 1 - kRounds / 4], kRounds * runs[i], work, unit);
    }
}

// ---- data -------------------------------------------------------------------------------------------------

std::mt19937 random_source(1);

/** Random values in [−½, ½): buffers of zeros would read too fast. */
void randomize(void* data, size_t bytes, dt type) {
    std::uniform_real_distribution<float> distribution(-0.5f, 0.5f);
    if (type == dt::bf16) {
        uint16_t* to = static_cast<uint16_t*>(data);
        for (size_t i = 0; i < bytes / 2; i++) {
            float value = distribution(random_source);
            uint32_t bits;
            memcpy(&bits, &value, sizeof bits);
            to[i] = (uint16_t)(bits >> 16);
        }
    } else {
        float* to = static_cast<float*>(data);
        for (size_t i = 0; i < bytes / 4; i++) to[i] = distribution(random_source);
    }
}

struct Freed {
    void operator()(float* data) const { free(data); }
};
using Floats = std::unique_ptr<float, Freed>;

Floats floats(int64_t n) {
    size_t bytes = ((size_t)n * sizeof(float) + 4095) / 4096 * 4096;
    Floats x(static_cast<float*>(aligned_alloc(4096, bytes)));
    randomize(x.get(), (size_t)n * sizeof(float), dt::f32);
    return x;
}

// ---- oneDNN -----------------------------------------------------------------------------------------------

dnnl::engine& engine() {
    static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
    return cpu;
}

dnnl::stream& stream() {
    static dnnl::stream only(engine());
    return only;
}

dnnl::primitive_attr attributes() {
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return attr;
}

memory random_memory(const memory::desc& desc) {
    memory all(desc, engine());
    randomize(all.get_data_handle(), desc.get_size(), desc.get_data_type());
    return all;
}

float* floats_of(const memory& all) { return static_cast<float*>(all.get_data_handle()); }

/** A primitive with its arguments, as Hadal binds it. */
class Bound {
public:
    template <class Descriptor>
    Bound(const Descriptor& descriptor, const dnnl::primitive& primitive) : primitive_(primitive) {
        with(DNNL_ARG_SCRATCHPAD, memory(descriptor.scratchpad_desc(), engine()));
    }

    Bound& with(int which, const memory& value) {
        memories_.push_back(value);
        arguments_.push_back({which, value.get()});
        return *this;
    }

    Body body() const {
        Bound self = *this;
        return [self] {
            dnnl_primitive_execute(self.primitive_.get(), stream().get(), (int)self.arguments_.size(),
                                   self.arguments_.data());
        };
    }

private:
    dnnl::primitive primitive_;
    std::vector<memory> memories_;
    std::vector<dnnl_exec_arg_t> arguments_;
};

const char* name_of(dt type) { return type == dt::bf16 ? "bf16" : "f32"; }

/** Where a processor lacks a type, oneDNN has no primitive: no line then. */
template <class Case>
void attempt(const std::string& name, Case run) {
    if (!is_wanted(name)) return;
    try {
        run();
    } catch (const dnnl::error& e) {
        fprintf(stderr, "%s: %s\n", name.c_str(), e.what());
    }
}

// ---- products ---------------------------------------------------------------------------------------------

/** b: whether oneDNN chooses the layout of the weights. */
void matmul(int64_t m, int64_t k, int64_t n, dt type, dt result, bool packed) {
    std::string name = "matmul/" + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n) + "/" +
                       name_of(type) + (type == result ? "" : "-f32") + (packed ? "/packed" : "/plain");
    attempt(name, [&] {
        memory::desc a({m, k}, type, tag::ab), b({k, n}, type, packed ? tag::any : tag::ab), y({m, n}, result, tag::ab);
        dnnl::matmul::primitive_desc desc(engine(), a, b, y, attributes());
        Bound bound(desc, dnnl::matmul(desc));
        memory left = random_memory(desc.src_desc()), right = random_memory(desc.weights_desc()),
               product = random_memory(desc.dst_desc());
        bound.with(DNNL_ARG_SRC, left).with(DNNL_ARG_WEIGHTS, right).with(DNNL_ARG_DST, product);
        std::vector<Contestant> contestants = {{"oneDNN", bound.body()}};
        if (type == dt::f32 && !packed && k * ((n + 15) / 16 * 16) <= 4096) {
            contestants.push_back({"libhadal", [&] {
                                       hadal_small_matmul(floats_of(left), floats_of(right), m, k, n, 0, 0,
                                                          floats_of(product));
                                   }});
        }
        compare(name, 2.0 * m * k * n, "flop", contestants);
    });
}

/** 3×3, stride 1, padded to the same size. */
void convolution(int64_t images, int64_t channels, int64_t side, dt type) {
    const std::string base = "convolution/" + std::to_string(images) + "x" + std::to_string(channels) + "x" +
                             std::to_string(side) + "x" + std::to_string(side) + "/";
    const std::string suffix = std::string("/") + name_of(type);
    const double work = 2.0 * images * channels * channels * side * side * 9;
    const memory::desc x({images, channels, side, side}, type, tag::any), w({channels, channels, 3, 3}, type, tag::any);
    const Dims one = {1, 1};
    const auto direct = dnnl::algorithm::convolution_direct;
    auto forward = [&] {
        return dnnl::convolution_forward::primitive_desc(engine(), dnnl::prop_kind::forward_training, direct, x, w, x,
                                                         one, one, one, attributes());
    };
    attempt(base + "forward" + suffix, [&] {
        auto desc = forward();
        Bound bound(desc, dnnl::convolution_forward(desc));
        bound.with(DNNL_ARG_SRC, random_memory(desc.src_desc()))
            .with(DNNL_ARG_WEIGHTS, random_memory(desc.weights_desc()))
            .with(DNNL_ARG_DST, random_memory(desc.dst_desc()));
        compare(base + "forward" + suffix, work, "flop", {{"oneDNN", bound.body()}});
    });
    attempt(base + "backward_data" + suffix, [&] {
        dnnl::convolution_backward_data::primitive_desc desc(engine(), direct, x, w, x, one, one, one, forward(),
                                                             attributes());
        Bound bound(desc, dnnl::convolution_backward_data(desc));
        bound.with(DNNL_ARG_DIFF_SRC, random_memory(desc.diff_src_desc()))
            .with(DNNL_ARG_WEIGHTS, random_memory(desc.weights_desc()))
            .with(DNNL_ARG_DIFF_DST, random_memory(desc.diff_dst_desc()));
        compare(base + "backward_data" + suffix, work, "flop", {{"oneDNN", bound.body()}});
    });
    for (dt gradient : {type, dt::f32}) {
        if (gradient == type && type != dt::f32) continue;  // gradients of weights are summed up in f32
        std::string name = base + "backward_weights" + suffix;
        attempt(name, [&] {
            memory::desc dw({channels, channels, 3, 3}, gradient, tag::any);
            dnnl::convolution_backward_weights::primitive_desc desc(engine(), direct, x, dw, x, one, one, one,
                                                                    forward(), attributes());
            Bound bound(desc, dnnl::convolution_backward_weights(desc));
            bound.with(DNNL_ARG_SRC, random_memory(desc.src_desc()))
                .with(DNNL_ARG_DIFF_WEIGHTS, random_memory(desc.diff_weights_desc()))
                .with(DNNL_ARG_DIFF_DST, random_memory(desc.diff_dst_desc()));
            compare(name, work, "flop", {{"oneDNN", bound.body()}});
        });
        if (type == dt::f32) break;
    }
}

// ---- what waits for memory --------------------------------------------------------------------------------

const int64_t kRows = 2048, kColumns = 1024, kElements = kRows * kColumns;
const double kPass = 4.0 * kElements;  // bytes of one operand

memory::desc matrix() { return {{kRows, kColumns}, dt::f32, tag::ab}; }
memory::desc row() { return {{kColumns}, dt::f32, tag::a}; }

/** Layer norm, or root-mean-square norm. */
void norm(bool rms) {
    const std::string base = rms ? "rms_norm/" : "layer_norm/";
    auto flags = dnnl::normalization_flags::use_scale;
    flags = flags | (rms ? dnnl::normalization_flags::rms_norm : dnnl::normalization_flags::use_shift);
    const float epsilon = 1e-5f;
    Floats x = floats(kElements), y = floats(kElements), dy = floats(kElements), gamma = floats(kColumns),
           beta = floats(kColumns), dgamma = floats(kColumns), dbeta = floats(kColumns), mean = floats(kRows),
           variance = floats(kRows), scratch = floats(hadal_group_norm_scratch(kRows, 1, kColumns));
    float* mu = rms ? nullptr : mean.get();
    auto desc = [&] {
        return dnnl::layer_normalization_forward::primitive_desc(
            engine(), dnnl::prop_kind::forward_training, matrix(), matrix(), epsilon, flags, attributes());
    };
    auto inputs = [&](Bound& bound) {
        bound.with(DNNL_ARG_SRC, memory(matrix(), engine(), x.get()))
            .with(DNNL_ARG_SCALE, memory(row(), engine(), gamma.get()))
            .with(DNNL_ARG_VARIANCE, memory(desc().variance_desc(), engine(), variance.get()));
        if (!rms) bound.with(DNNL_ARG_MEAN, memory(desc().mean_desc(), engine(), mean.get()));
    };
    auto own = [&] {
        hadal_group_norm(x.get(), gamma.get(), rms ? nullptr : beta.get(), kRows, 1, kColumns, 1, epsilon, y.get(), mu,
                         variance.get());
    };
    own();  // the statistics, for the way back
    attempt(base + "forward", [&] {
        Bound bound(desc(), dnnl::layer_normalization_forward(desc()));
        inputs(bound);
        bound.with(DNNL_ARG_DST, memory(matrix(), engine(), y.get()));
        if (!rms) bound.with(DNNL_ARG_SHIFT, memory(row(), engine(), beta.get()));
        compare(base + "forward", 2 * kPass, "byte", {{"oneDNN", bound.body()}, {"libhadal", own}});
    });
    attempt(base + "backward", [&] {
        dnnl::layer_normalization_backward::primitive_desc back(engine(), dnnl::prop_kind::backward, matrix(), matrix(),
                                                                matrix(), epsilon, flags, desc(), attributes());
        Bound bound(back, dnnl::layer_normalization_backward(back));
        inputs(bound);
        bound.with(DNNL_ARG_DIFF_DST, memory(matrix(), engine(), dy.get()))
            .with(DNNL_ARG_DIFF_SRC, memory(matrix(), engine(), y.get()))
            .with(DNNL_ARG_DIFF_SCALE, memory(row(), engine(), dgamma.get()));
        if (!rms) bound.with(DNNL_ARG_DIFF_SHIFT, memory(row(), engine(), dbeta.get()));
        auto own_backward = [&] {
            hadal_group_norm_backward(x.get(), dy.get(), gamma.get(), mu, variance.get(), kRows, 1, kColumns, 1, epsilon,
                                      y.get(), dgamma.get(), rms ? nullptr : dbeta.get(), scratch.get());
        };
        compare(base + "backward", 3 * kPass, "byte", {{"oneDNN", bound.body()}, {"libhadal", own_backward}});
    });
}

void softmax() {
    Floats x = floats(kElements), y = floats(kElements), dy = floats(kElements), dx = floats(kElements);
    hadal_softmax(x.get(), kRows, kColumns, 1, 0, y.get());
    dnnl::softmax_forward::primitive_desc desc(engine(), dnnl::prop_kind::forward_training,
                                               dnnl::algorithm::softmax_accurate, matrix(), matrix(), 1, attributes());
    attempt("softmax/forward", [&] {
        Bound bound(desc, dnnl::softmax_forward(desc));
        bound.with(DNNL_ARG_SRC, memory(matrix(), engine(), x.get()))
            .with(DNNL_ARG_DST, memory(matrix(), engine(), y.get()));
        compare("softmax/forward", 2 * kPass, "byte",
                {{"oneDNN", bound.body()},
                 {"libhadal", [&] { hadal_softmax(x.get(), kRows, kColumns, 1, 0, y.get()); }}});
    });
    attempt("softmax/backward", [&] {
        dnnl::softmax_backward::primitive_desc back(engine(), dnnl::algorithm::softmax_accurate, matrix(), matrix(),
                                                    matrix(), 1, desc, attributes());
        Bound bound(back, dnnl::softmax_backward(back));
        bound.with(DNNL_ARG_DST, memory(matrix(), engine(), y.get()))
            .with(DNNL_ARG_DIFF_DST, memory(matrix(), engine(), dy.get()))
            .with(DNNL_ARG_DIFF_SRC, memory(matrix(), engine(), dx.get()));
        compare("softmax/backward", 3 * kPass, "byte",
                {{"oneDNN", bound.body()}, {"libhadal", [&] {
                      hadal_softmax_backward(y.get(), dy.get(), kRows, kColumns, 1, 0, dx.get());
                  }}});
    });
}

void gelu(bool tanh) {
    const std::string base = tanh ? "gelu_tanh/" : "gelu/";
    const auto algorithm = tanh ? dnnl::algorithm::eltwise_gelu_tanh : dnnl::algorithm::eltwise_gelu_erf;
    Floats x = floats(kElements), y = floats(kElements), dy = floats(kElements);
    for (int64_t i = 0; i < kElements; i++) x.get()[i] *= 8;
    memory::desc all({kElements}, dt::f32, tag::a);
    dnnl::eltwise_forward::primitive_desc desc(engine(), dnnl::prop_kind::forward_training, algorithm, all, all, 0, 0,
                                               attributes());
    attempt(base + "forward", [&] {
        Bound bound(desc, dnnl::eltwise_forward(desc));
        bound.with(DNNL_ARG_SRC, memory(all, engine(), x.get())).with(DNNL_ARG_DST, memory(all, engine(), y.get()));
        compare(base + "forward", 2 * kPass, "byte",
                {{"oneDNN", bound.body()}, {"libhadal", [&] { hadal_gelu(x.get(), kElements, tanh, y.get()); }}});
    });
    attempt(base + "backward", [&] {
        dnnl::eltwise_backward::primitive_desc back(engine(), algorithm, all, all, all, 0, 0, desc, attributes());
        Bound bound(back, dnnl::eltwise_backward(back));
        bound.with(DNNL_ARG_SRC, memory(all, engine(), x.get()))
            .with(DNNL_ARG_DIFF_DST, memory(all, engine(), dy.get()))
            .with(DNNL_ARG_DIFF_SRC, memory(all, engine(), y.get()));
        compare(base + "backward", 3 * kPass, "byte",
                {{"oneDNN", bound.body()},
                 {"libhadal", [&] { hadal_gelu_backward(x.get(), dy.get(), kElements, tanh, y.get()); }}});
    });
}

/** On images that lie with their channels innermost. */
void batch_norm(int64_t images, int64_t channels, int64_t side) {
    const std::string base = "batch_norm/" + std::to_string(images) + "x" + std::to_string(channels) + "x" +
                             std::to_string(side) + "x" + std::to_string(side) + "/";
    const memory::desc x({images, channels, side, side}, dt::f32, tag::nhwc), each({channels}, dt::f32, tag::a);
    const auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
    const double pass = (double)x.get_size();
    dnnl::batch_normalization_forward::primitive_desc desc(engine(), dnnl::prop_kind::forward_training, x, x, 1e-5f,
                                                           flags, attributes());
    memory from = random_memory(x), to = random_memory(x), dy = random_memory(x), mean = random_memory(each),
           variance = random_memory(each), scale = random_memory(each), shift = random_memory(each),
           dscale = random_memory(each), dshift = random_memory(each);
    Bound forward(desc, dnnl::batch_normalization_forward(desc));
    forward.with(DNNL_ARG_SRC, from).with(DNNL_ARG_DST, to).with(DNNL_ARG_MEAN, mean);
    forward.with(DNNL_ARG_VARIANCE, variance).with(DNNL_ARG_SCALE, scale).with(DNNL_ARG_SHIFT, shift);
    forward.body()();
    attempt(base + "forward", [&] { compare(base + "forward", 3 * pass, "byte", {{"oneDNN", forward.body()}}); });
    attempt(base + "backward", [&] {
        dnnl::batch_normalization_backward::primitive_desc back(engine(), dnnl::prop_kind::backward, x, x, x, 1e-5f,
                                                                flags, desc, attributes());
        Bound bound(back, dnnl::batch_normalization_backward(back));
        bound.with(DNNL_ARG_SRC, from).with(DNNL_ARG_DIFF_SRC, to).with(DNNL_ARG_DIFF_DST, dy);
        bound.with(DNNL_ARG_MEAN, mean).with(DNNL_ARG_VARIANCE, variance).with(DNNL_ARG_SCALE, scale);
        bound.with(DNNL_ARG_DIFF_SCALE, dscale).with(DNNL_ARG_DIFF_SHIFT, dshift);
        compare(base + "backward", 5 * pass, "byte", {{"oneDNN", bound.body()}});
    });
}

// ---- libhadal alone ---------------------------------------------------------------------------------------

void rows_of_a_table() {
    const int64_t rows = 50000, width = 256, count = 16384;
    Floats table = floats(rows * width), some = floats(count * width);
    std::vector<int32_t> indices(count);
    for (int32_t& index : indices) index = (int32_t)(random_source() % rows);
    const double pass = 4.0 * count * width;
    attempt("gather", [&] {
        compare("gather", 2 * pass, "byte", {{"libhadal", [&] {
                                                  hadal_gather(table.get(), indices.data(), 1, rows, width, count,
                                                               some.get());
                                              }}});
    });
    attempt("scatter_add", [&] {
        compare("scatter_add", 3 * pass, "byte", {{"libhadal", [&] {
                                                       hadal_scatter_add(table.get(), indices.data(), some.get(), 1,
                                                                         rows, width, count);
                                                   }}});
    });
}

void dropout() {
    Floats x = floats(kElements), y = floats(kElements);
    const int32_t random[] = {1, 2, 3};
    attempt("dropout", [&] {
        compare("dropout", 2 * kPass, "byte", {{"libhadal", [&] {
                                                    hadal_dropout(x.get(), kElements, random, 4, 1 << 22, 2, y.get());
                                                }}});
    });
}

void cross_entropy() {
    Floats x = floats(kElements), p = floats(kElements);
    std::vector<int32_t> labels(kRows);
    for (int32_t& label : labels) label = (int32_t)(random_source() % kColumns);
    float loss, dloss = 1;
    attempt("cross_entropy/forward", [&] {
        compare("cross_entropy/forward", 2 * kPass, "byte", {{"libhadal", [&] {
                    hadal_cross_entropy(x.get(), labels.data(), nullptr, nullptr, kRows, 1, kColumns, 0, -1, &loss,
                                        p.get());
                }}});
    });
    attempt("cross_entropy/backward", [&] {
        compare("cross_entropy/backward", 2 * kPass, "byte", {{"libhadal", [&] {
                    hadal_cross_entropy_backward(p.get(), labels.data(), nullptr, nullptr, &dloss, kRows, 1, kColumns,
                                                 0, -1, x.get());
                }}});
    });
}

void adamw(int64_t n) {
    Floats w = floats(n), g = floats(n), m = floats(n), v = floats(n);
    for (int64_t i = 0; i < n; i++) v.get()[i] = fabsf(v.get()[i]);
    const float hyper[] = {1e-3f, 1e-2f, 1.1f, 1.2f, 1.0f, 0.0f, INFINITY, 0.0f}, norm = 2.0f;
    const std::string name = "adamw/" + std::to_string(n);
    attempt(name, [&] {
        compare(name, 28.0 * n, "byte", {{"libhadal", [&] {
                    hadal_update(HADAL_ADAM, w.get(), g.get(), m.get(), v.get(), nullptr, nullptr, n, 0.9f, 0.999f, 1e-8f, hyper,
                                 &norm);
                }}});
    });
    const std::string square = "sum_of_squares/" + std::to_string(n);
    double sum = 0;
    attempt(square, [&] {
        compare(square, 4.0 * n, "byte", {{"libhadal", [&] { sum += hadal_sum_of_squares(g.get(), n); }}});
    });
}

// ---- ceilings ---------------------------------------------------------------------------------------------

void ceilings() {
    const struct {
        hadal_peak_kind kind;
        const char *name, *unit;
    } kinds[] = {{HADAL_PEAK_F32, "ceiling/f32", "flop"},          {HADAL_PEAK_BF16, "ceiling/bf16", "flop"},
                 {HADAL_PEAK_INT8, "ceiling/int8", "flop"},        {HADAL_PEAK_TILE_BF16, "ceiling/tile_bf16", "flop"},
                 {HADAL_PEAK_TILE_INT8, "ceiling/tile_int8", "flop"}, {HADAL_PEAK_COPY, "ceiling/copy", "byte"},
                 {HADAL_PEAK_STREAM, "ceiling/stream", "byte"}};
    const int64_t n = 40000000;
    Floats memory;
    for (auto& kind : kinds) {
        if (!is_wanted(kind.name)) continue;
        if (!memory) memory = floats(n);
        double rate = hadal_peak(kind.kind, memory.get(), n);
        if (rate > 0) print("core", kind.name, 1e9 / rate, 1e9 / rate, 1e9 / rate, 1, 1e9, kind.unit);
    }
}

}  // namespace

int main(int argc, char** argv) {
    wanted.assign(argv + 1, argv + argc);
    hadal_set_threads(1);
    const dnnl_version_t* version = dnnl_version();
    printf("# oneDNN %d.%d.%d, libhadal for %s, one thread\n", version->major, version->minor, version->patch,
           hadal_isa());
    printf("library\tname\tmedian_us\tlow_us\thigh_us\truns\twork\tunit\tper_ns\n");
    ceilings();
    for (int64_t n : {512, 1024, 2048})
        for (bool packed : {false, true}) {
            matmul(n, n, n, dt::f32, dt::f32, packed);
            matmul(n, n, n, dt::bf16, dt::bf16, packed);
            matmul(n, n, n, dt::bf16, dt::f32, packed);
        }
    for (dt type : {dt::f32, dt::bf16}) {
        convolution(8, 64, 56, type);
        convolution(8, 128, 28, type);
        convolution(8, 256, 14, type);
    }
    norm(false);
    norm(true);
    softmax();
    gelu(false);
    gelu(true);
    batch_norm(8, 64, 56);
    batch_norm(8, 256, 14);
    for (int64_t n : {4, 8, 10, 16, 32, 50, 64}) matmul(n, n, n, dt::f32, dt::f32, false);
    matmul(1, 784, 1024, dt::f32, dt::f32, true);
    rows_of_a_table();
    dropout();
    cross_entropy();
    adamw(10000000);
    return 0;
}
