"""Recordings of any rate, and what the ear hears of them. What was said or which label it has is the business of the
packages beside this one: `classification`, `speech`.
"""
