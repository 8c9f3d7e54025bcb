"""Our graders, critics and feedback formats inside other people's training loops: `stepalign.integrations.trl`."""
