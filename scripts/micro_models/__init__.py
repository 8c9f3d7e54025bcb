"""How the shipped micro models were trained: `python -m scripts.micro_models [solver|critic]` trains them again."""
