"""Train the shipped micro models again: `python -m scripts.micro_models [solver|critic|code]`.

All are a Qwen3 of under a million parameters. The solver learns the corpus of `corpus.py` from nothing. The critic
starts as the solver, whose tokenizer it keeps, samples attempts from it, and learns the corpus of `critic_corpus.py`.
The code world's solver has a tokenizer of its own and begins with the layers of the solver, which know how to copy a
context; it learns the corpus of `code_corpus.py`. Two cores take well under an hour for each. The results load with
plain `AutoModelForCausalLM.from_pretrained(dir)`.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, Qwen3Config, Qwen3ForCausalLM

from scripts.micro_models.code_corpus import code_examples
from scripts.micro_models.corpus import FAMILY, examples
from scripts.micro_models.critic_corpus import critic_examples, make_chains, sample_attempts
from scripts.micro_models.tokenizer import train_tokenizer
from scripts.micro_models.training import Plan, batches, fit
from stepalign.micro.code import CODE_SOLVER_DIR
from stepalign.micro.problems import CRITIC_DIR, SOLVER_DIR

VOCAB_SIZE = 512
MAX_RESPONSE = 208  # tokens of the solver; enumerations are cut here
MAX_PROGRAM = 144  # tokens of the code world's solver
MAX_CRITIQUE = 320  # tokens; four steps take about 190
MAX_POSITIONS = 2048  # of the critic; the longest prompts with their critiques take about 650
DEFAULTS: dict[str, dict[str, Any]] = {
    "solver": {"output_dir": SOLVER_DIR, "max_steps": 1800, "learning_rate": 3e-3},
    "code": {"output_dir": CODE_SOLVER_DIR, "max_steps": 900, "learning_rate": 3e-3},
    "critic": {"output_dir": CRITIC_DIR, "max_steps": 1600, "learning_rate": 2e-3},
}


def build_config(tokenizer: Any, **own: Any) -> Qwen3Config:
    # what evaluate and train take where no flag says otherwise; checkpoints trained from the model keep it
    own = {"stepalign": {"prompt_templates": FAMILY, "max_new_tokens": 160, **own}}
    return Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=1024,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **own,
    )


def train_solver(args: argparse.Namespace) -> None:
    """Train the solver from nothing and save model, tokenizer and a record of the training."""
    torch.manual_seed(args.seed)
    rng = random.Random(f"stepalign micro tokenizer {args.seed}")
    texts = [text for e in examples(rng, 4000) for text in ("user\n", e.prompt, "assistant\n", e.response)]
    tokenizer = train_tokenizer(texts, VOCAB_SIZE)
    model = Qwen3ForCausalLM(build_config(tokenizer))
    rng = random.Random(f"stepalign micro corpus {args.seed}")
    fit(model, tokenizer, batches(tokenizer, examples, rng, args.token_budget, MAX_RESPONSE), _plan(args))


def train_code_solver(args: argparse.Namespace) -> None:
    """Train the code world's solver from the solver's layers and save model, tokenizer and a record."""
    torch.manual_seed(args.seed)
    rng = random.Random(f"stepalign code tokenizer {args.seed}")
    texts = [text for e in code_examples(rng, 4000) for text in ("user\n", e.prompt, "assistant\n", e.response)]
    tokenizer = train_tokenizer(texts, VOCAB_SIZE)
    model = Qwen3ForCausalLM(build_config(tokenizer, max_new_tokens=MAX_PROGRAM, world="code"))
    begin_as(model, tokenizer, Qwen3ForCausalLM.from_pretrained(args.start), AutoTokenizer.from_pretrained(args.start))
    name = "B" if args.seed == 0 else args.seed  # under this name the shipped weights were trained
    rng = random.Random(f"stepalign code corpus {name}")
    fit(model, tokenizer, batches(tokenizer, code_examples, rng, args.token_budget, MAX_PROGRAM), _plan(args))
    halve(args.output_dir / "model.safetensors")


def halve(path: Path) -> None:
    """Store weights in float16, which halves the file; the config says float32, so they are loaded as that."""
    save_file({name: tensor.half() for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})


@torch.no_grad()
def begin_as(model: Any, tokenizer: Any, solver: Any, solvers_tokenizer: Any) -> None:
    """Give a model the solver's layers, the embeddings of the tokens that both have, and others drawn as those lie."""
    model.model.layers.load_state_dict(solver.model.layers.state_dict())
    model.model.norm.load_state_dict(solver.model.norm.state_dict())
    known, own = solver.model.embed_tokens.weight, model.model.embed_tokens.weight
    own.copy_(known.mean(0) + torch.randn_like(own) * known.std(0))
    places = solvers_tokenizer.get_vocab()
    for token, place in tokenizer.get_vocab().items():
        if token in places:
            own[place] = known[places[token]]


def train_critic(args: argparse.Namespace) -> None:
    """Sample attempts from the solver, train the critic from it, and save model, tokenizer and a record."""
    torch.manual_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.start)
    tokenizer.model_max_length = MAX_POSITIONS
    model = Qwen3ForCausalLM.from_pretrained(args.start)
    chains = make_chains(random.Random(f"stepalign micro attempts {args.seed}"), args.num_attempts)
    attempts = sample_attempts(model.eval(), tokenizer, chains)
    model.config.max_position_embeddings = MAX_POSITIONS
    # what a critic takes where no flag says otherwise
    model.config.stepalign = {
        "critic_prompts": FAMILY,
        "critique_protocol": "rewrite",
        "critic_max_tokens": MAX_CRITIQUE,
    }
    rng = random.Random(f"stepalign micro critic corpus {args.seed}")
    stream = batches(
        tokenizer, lambda rng, count: critic_examples(rng, count, attempts), rng, args.token_budget, MAX_CRITIQUE
    )
    fit(model.train(), tokenizer, stream, _plan(args, num_attempts=len(attempts)))


def _plan(args: argparse.Namespace, **record: Any) -> Plan:
    return Plan(args.model, args.output_dir, args.seed, args.max_steps, args.learning_rate, record)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.micro_models", description="Train a shipped micro model again."
    )
    parser.add_argument(
        "model", nargs="?", choices=["solver", "critic", "code"], default="solver", help="which (default: solver)"
    )
    parser.add_argument("--output_dir", type=Path, help="where to save it (default: where it is shipped)")
    parser.add_argument("--seed", type=int, default=0, help="seed of corpus, initial weights and order (default: 0)")
    parser.add_argument(
        "--max_steps", type=int, help="optimizer steps (default: 1800 for the solver, 1600 for the critic, 900)"
    )
    parser.add_argument("--token_budget", type=int, default=8192, help="tokens a step with padding (default: 8192)")
    parser.add_argument("--learning_rate", type=float, help="peak of AdamW (default: 3e-3, for the critic 2e-3)")
    parser.add_argument(
        "--start", type=Path, default=SOLVER_DIR, help="critic, code: the solver (default: the shipped one)"
    )
    parser.add_argument("--num_attempts", type=int, default=20000, help="critic: rollouts of it (default: 20000)")
    args = parser.parse_args()
    for name, value in DEFAULTS[args.model].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    {"solver": train_solver, "critic": train_critic, "code": train_code_solver}[args.model](args)


if __name__ == "__main__":
    main()
