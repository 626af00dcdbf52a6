"""Widgets. They show what the state says and send what a person did; they hold no rule."""
