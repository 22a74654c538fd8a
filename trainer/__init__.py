"""What makes models: pairs, losses, loops, distillation, export."""
