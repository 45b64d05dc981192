"""The tools that are compared: each puts a training to one of them, in that tool's own words.

A module here has

- `DISTRIBUTION`: what the tool is installed as;
- `MOMENTS`: when it is called, each time on a fresh training: "before" the loop, "after" it, or
  "around" it, where it watches the loop itself;
- `check(training)`: what it says about freezing;
- `beyond(kind, training)`: why it could not be told the promise, or nothing.
"""
