-- focus_load.sql: the FOCUS sample as a table, and the invoices that its charges make
--
-- Read by demo.sql. focus_sample.csv has the word NULL for nulls and times without a zone, hence
-- timestamp. The names of its columns are FOCUS's own; HEADER match checks them.

CREATE TABLE focus_sample (
    "AvailabilityZone" text, "BilledCost" numeric, "BillingAccountId" text, "BillingAccountName" text,
    "BillingCurrency" text, "BillingPeriodEnd" timestamp, "BillingPeriodStart" timestamp,
    "ChargeCategory" text, "ChargeClass" text, "ChargeDescription" text, "ChargeFrequency" text,
    "ChargePeriodEnd" timestamp, "ChargePeriodStart" timestamp, "CommitmentDiscountCategory" text,
    "CommitmentDiscountId" text, "CommitmentDiscountName" text, "CommitmentDiscountStatus" text,
    "CommitmentDiscountType" text, "ConsumedQuantity" numeric, "ConsumedUnit" text,
    "ContractedCost" numeric, "ContractedUnitPrice" numeric, "EffectiveCost" numeric,
    "InvoiceIssuerName" text, "ListCost" numeric, "ListUnitPrice" numeric, "PricingCategory" text,
    "PricingQuantity" numeric, "PricingUnit" text, "ProviderName" text, "PublisherName" text,
    "RegionId" text, "RegionName" text, "ResourceId" text, "ResourceName" text, "ResourceType" text,
    "ServiceCategory" text, "Id" bigint, "ServiceName" text, "SkuId" text, "SkuPriceId" text,
    "SubAccountId" text, "SubAccountName" text, "Tags" jsonb
);
\copy focus_sample FROM 'focus_sample.csv' WITH (FORMAT csv, HEADER match, NULL 'NULL')

-- One invoice for each issuer, account, billing period and charge category.
--
-- The type of charge: marketplace where all of it is of another publisher than the issuer (one
-- charge of 908 in the largest group is, it does not make a marketplace invoice of it);
-- subscription for Purchase; usage for Usage and for what corrects it or is part of it: Credit,
-- Adjustment and Tax. The sample has no invoice numbers and no dates of issue: these are ours,
-- the third day after the billing period. A credit is given on the usage of its month.
CREATE VIEW focus_invoice AS
SELECT
    "BillingAccountId" AS account_id,
    "InvoiceIssuerName" AS bill_from,
    to_char("BillingPeriodStart", 'YYYY-MM-') || lower("ChargeCategory") AS invoice_id,
    "ChargeCategory" AS charge_category,
    count(*) AS charges,
    CASE
        WHEN "ChargeCategory" = 'Credit' OR sum("BilledCost") < 0 THEN 'credit_memo'
        ELSE 'invoice'
    END AS kind,
    CASE
        WHEN bool_and("PublisherName" <> "InvoiceIssuerName") THEN 'marketplace'
        WHEN "ChargeCategory" = 'Purchase' THEN 'subscription'
        ELSE 'usage'
    END::po_line_type AS line_type,
    "BillingPeriodStart"::po_month AS billing_month,
    "BillingPeriodEnd"::date + 2 AS issued_on,
    sum("BilledCost") AS amount,
    "BillingCurrency" AS currency,
    CASE WHEN "ChargeCategory" = 'Credit' THEN to_char("BillingPeriodStart", 'YYYY-MM-') || 'usage'
    END AS original_invoice_id
FROM focus_sample
GROUP BY "InvoiceIssuerName", "BillingAccountId", "BillingPeriodStart", "BillingPeriodEnd",
    "ChargeCategory", "BillingCurrency";
