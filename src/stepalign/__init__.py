"""stepalign: self-distillation from feedback that follows the model's own reasoning step by step."""
