/** Tensors, graphs, layers, training and the pure-Java backend. */
module dev.hadal.core {
    requires org.slf4j;
    requires static transitive org.jspecify;
    requires static java.desktop; // for dev.hadal.data.ImageFolder alone

    exports dev.hadal.tensor;
    exports dev.hadal.graph;
    exports dev.hadal.op;
    exports dev.hadal.nn;
    exports dev.hadal.model;
    exports dev.hadal.backend;
    exports dev.hadal.run;
    exports dev.hadal.optim;
    exports dev.hadal.backend.jvm;
    exports dev.hadal.train;
    exports dev.hadal.compress;
    exports dev.hadal.data;

    uses dev.hadal.backend.Backend;
    uses dev.hadal.model.SavedOp.Provider;

    provides dev.hadal.backend.Backend with
            dev.hadal.backend.jvm.JvmBackend;
}
