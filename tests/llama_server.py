"""llama.cpp's own HTTP server with a GGUF file, for tests: `python tests/llama_server.py FILE.gguf`.

Prints its address once it answers, and serves until it is ended. The package xllamacpp is llama.cpp, built.
"""

import signal
import sys

import xllamacpp

CONTEXT, SLOTS = 4096, 2  # each slot has half of the context


def main(path: str) -> None:
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.port, params.model_alias = 0, {"smollm2"}  # a free port
    params.n_ctx, params.n_parallel, params.use_jinja = CONTEXT, SLOTS, True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
