class JournalWriter:
    pass
