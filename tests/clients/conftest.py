"""The clients are tried by ``make test-clients``; of this folder pytest only runs what needs none of them."""

collect_ignore_glob = ["[!a]*.py", "answering.py"]
