"""A network of the benchmark in ONNX Runtime, as a process that is asked for the time of `infer`.
    peer_ort.py FILE THREADS"""
import sys
import numpy
import onnxruntime
import serve

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(sys.argv[2])
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
x = session.get_inputs()[0]
random = numpy.random.default_rng(1)
feed = {x.name: random.integers(0, 65, x.shape) if "int" in x.type
        else random.standard_normal(x.shape, dtype="float32")}
serve.serve({"infer": serve.Task(lambda: session.run(None, feed), None)})
