"""How billing reacts: admissions, attendance, notes, answers of payers, its own decisions."""
