-- How far the explained records agree, and how many explanations were left out.
ALTER TABLE lead_importance ADD COLUMN sign_agreement REAL;
ALTER TABLE lead_importance ADD COLUMN n_dropped INTEGER NOT NULL DEFAULT 0;
